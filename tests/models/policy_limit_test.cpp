// The flow limit: exact amounts, every status, hysteresis, and the cap that nothing may break.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <set>

#include "kernels/base/failure.hpp"
#include "tests/models/policy_fixture.hpp"

namespace tidemark {
namespace {

using testing::column;
using testing::limit_input;
using testing::sound_row;

class LimitTest : public ::testing::Test {
 protected:
  explicit LimitTest() : policy(testing::small_bundle(), testing::plan_names()) {}

  bool decide(const LimitInput& input) { return policy.limit(input, state, out, scratch); }
  bool decide() { return decide(limit_input(row, score)); }
  float& at(const std::string& name) { return row[column(name)]; }

  Policy policy;
  std::vector<float> row = sound_row();
  double score = 0.01;
  DecisionState state;
  LimitDecision out;
  PolicyScratch scratch;
};

TEST_F(LimitTest, FirstDecisionIsVersionOneWithTheExactAmount) {
  at("net_inflow_sum_12m") = 240'123.0F;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.version, 1u);
  EXPECT_EQ(out.status, LimitStatus::active);
  // 240,123 / 12 x 3 = 60,030.75, in whole hundreds: 60,000.00.
  EXPECT_EQ(out.limit_minor, 6'000'000);
  EXPECT_EQ(out.available_minor, out.limit_minor);
  EXPECT_EQ(out.previous_minor, 0);
  EXPECT_EQ(out.tier, 0);
  EXPECT_EQ(out.price_bps, 480);
  EXPECT_GE(out.reason_count, 3);
  EXPECT_EQ(state.limit_minor, out.limit_minor);
  EXPECT_FALSE(decide()) << "nothing changed";
}

TEST_F(LimitTest, FactorsMultiply) {
  LimitInput input = limit_input(row);
  input.industry = "travel";
  input.month = 2;
  input.overlay_factor = 0.5;
  ASSERT_TRUE(decide(input));
  EXPECT_EQ(out.limit_minor, 1'200'000);  // 20,000 x 3 x 0.5 x 0.8 x 0.5 = 12,000
}

TEST_F(LimitTest, AmountsFollowTheCurrencysDigits) {
  LimitInput input = limit_input(row);
  input.currency_exponent = 0;
  ASSERT_TRUE(decide(input));
  EXPECT_EQ(out.limit_minor, 60'000);
  state = {};
  input.currency_exponent = 3;
  ASSERT_TRUE(decide(input));
  EXPECT_EQ(out.limit_minor, 60'000'000);
}

TEST_F(LimitTest, ThinFileBelowAnyMark) {
  const std::vector<std::pair<std::string, float>> marks = {
      {"days_of_history", 59}, {"months_active_12m", 2}, {"payment_count_30d", 19}};
  for (const auto& [name, value] : marks) {
    row = sound_row();
    state = {};
    at(name) = value;
    ASSERT_TRUE(decide()) << name;
    EXPECT_EQ(out.status, LimitStatus::thin_file) << name;
    EXPECT_EQ(out.version, 1u);
    EXPECT_EQ(out.limit_minor, 0);
    EXPECT_EQ(out.tier, no_tier);
    ASSERT_GE(out.reason_count, 3) << name;
    EXPECT_EQ(out.reasons[0].feature, column(name));
    EXPECT_EQ(out.reasons[0].value, value);
    EXPECT_GT(out.reasons[0].contribution, 0);
    EXPECT_FALSE(decide()) << "published once";
  }
}

TEST_F(LimitTest, MissingNumbersAreAThinFileNotALimit) {
  row.assign(row.size(), std::numeric_limits<float>::quiet_NaN());
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::thin_file);
  EXPECT_GE(out.reason_count, 3);
}

TEST_F(LimitTest, ThinFileGrowsIntoALimit) {
  at("days_of_history") = 10;
  ASSERT_TRUE(decide());
  at("days_of_history") = 60;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.version, 2u);
  EXPECT_EQ(out.status, LimitStatus::active);
  EXPECT_GT(out.limit_minor, 0);
}

TEST_F(LimitTest, ALimitIsKeptDownToHalfThePaymentsMark) {
  ASSERT_TRUE(decide());
  at("payment_count_30d") = 10;
  EXPECT_FALSE(decide());
  at("payment_count_30d") = 9;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::none) << "a merchant that stopped is no newcomer";
  EXPECT_EQ(out.previous_minor, 6'000'000);
  EXPECT_GE(out.reason_count, 3);
  at("payment_count_30d") = 19;
  EXPECT_FALSE(decide());
  at("payment_count_30d") = 20;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::active);
}

TEST_F(LimitTest, TheScoreRefusesAndComesBackBeyondItsMargin) {
  score = 0.3;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::none);
  EXPECT_EQ(out.reasons[0].code, static_cast<int>(RuleReason::score_refused));
  EXPECT_GE(out.reason_count, 3);
  score = 0.28;
  EXPECT_FALSE(decide());
  score = 0.26;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::active);
  score = 0.32;
  EXPECT_FALSE(decide());
  score = 0.34;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::none);
}

TEST_F(LimitTest, AScoreThatIsNoNumberRefuses) {
  score = std::numeric_limits<double>::quiet_NaN();
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::none);
}

TEST_F(LimitTest, TiersChangeBeyondTheirMarginOnly) {
  score = 0.049;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.tier, 0);
  score = 0.054;
  EXPECT_FALSE(decide());
  score = 0.056;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.tier, 1);
  EXPECT_EQ(out.price_bps, 960);
  score = 0.046;
  EXPECT_FALSE(decide());
  score = 0.044;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.tier, 0);
}

TEST_F(LimitTest, SmallMovesAreNotPublished) {
  ASSERT_TRUE(decide());
  at("net_inflow_sum_12m") = 264'000;  // +10%, not more
  EXPECT_FALSE(decide());
  at("net_inflow_sum_12m") = 264'400;  // 66,100: more than 10%
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.previous_minor, 6'000'000);
  EXPECT_EQ(out.limit_minor, 6'610'000);
  at("net_inflow_sum_12m") = 230'000;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.limit_minor, 5'750'000);
  EXPECT_GE(out.reason_count, 3);
}

TEST_F(LimitTest, FreezeHoldsTheAmountAndNothingIsAvailable) {
  ASSERT_TRUE(decide());
  state.frozen = 1;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::frozen);
  EXPECT_EQ(out.limit_minor, 6'000'000);
  EXPECT_EQ(out.available_minor, 0);
  EXPECT_GE(out.reason_count, 3);
  at("net_inflow_sum_12m") = 150'000;
  EXPECT_FALSE(decide());
  at("net_inflow_sum_12m") = 100'000;
  ASSERT_TRUE(decide()) << "60,000 is more than five times the monthly inflow, frozen or not";
  EXPECT_EQ(out.status, LimitStatus::frozen);
  EXPECT_EQ(out.limit_minor, 4'160'000);
  EXPECT_EQ(out.previous_minor, 6'000'000);
  EXPECT_EQ(out.available_minor, 0);
  EXPECT_GE(out.reason_count, 3);
  EXPECT_FALSE(decide());
  state.frozen = 0;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::active);
  EXPECT_EQ(out.limit_minor, 2'500'000);
}

TEST_F(LimitTest, MoneyOfAnotherCurrencyIsNotHeld) {
  ASSERT_TRUE(decide());
  state.frozen = 1;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.limit_minor, 6'000'000);
  state.alert_open = 1;
  state.alert_week = 2'800;
  state.reference_bits = std::bit_cast<std::int64_t>(1e6);
  LimitInput yen = limit_input(row);
  yen.currency = 'J' | 'P' << 8 | 'Y' << 16;
  yen.currency_exponent = 0;
  policy.enter_currency(yen.currency, state);
  AlertDecision alert;
  ASSERT_TRUE(policy.alert(row, 2'800, yen.event_time_ms, state, alert));
  EXPECT_EQ(alert.state, AlertState::closed);
  ASSERT_TRUE(decide(yen)) << "else a frozen limit in yuan would stand";
  EXPECT_EQ(out.currency, yen.currency);
  EXPECT_EQ(out.limit_minor, 0);
  EXPECT_EQ(out.previous_minor, 0);
  policy.enter_currency(yen.currency, state);
  EXPECT_FALSE(decide(yen));
}

TEST_F(LimitTest, SuspensionLetsTheLimitFallButNotRise) {
  ASSERT_TRUE(decide());
  at("fraud_count_30d") = 3;
  at("net_inflow_sum_12m") = 480'000;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::suspended);
  EXPECT_EQ(out.limit_minor, 6'000'000);
  EXPECT_EQ(out.available_minor, 0);
  EXPECT_GE(out.reason_count, 3);
  EXPECT_EQ(out.reasons[0].feature, column("fraud_count_30d"));
  at("fraud_count_30d") = 2;
  EXPECT_FALSE(decide()) << "released only below half of the mark";
  at("fraud_count_30d") = 1;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::active);
  EXPECT_EQ(out.limit_minor, 12'000'000);
}

TEST_F(LimitTest, ChargebacksAndRedAlertsSuspend) {
  ASSERT_TRUE(decide());
  at("chargeback_ratio_30d") = 0.05F;
  at("chargeback_count_30d") = 2;
  EXPECT_FALSE(decide()) << "two chargebacks are no pattern";
  at("chargeback_count_30d") = 3;
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::suspended);
  row = sound_row();
  ASSERT_TRUE(decide());
  AlertDecision alert;
  at("inflow_sum_1w_ago2") = 1'000;
  at("inflow_sum_1w_ago1") = 100;
  ASSERT_TRUE(policy.alert(row, 2'600, 0, state, alert));
  ASSERT_EQ(alert.tier, AlertTier::red);
  ASSERT_TRUE(decide());
  EXPECT_EQ(out.status, LimitStatus::suspended);
  EXPECT_EQ(out.reasons[0].value, 100.0F);
}

TEST_F(LimitTest, AdverseReasonsComeFirstAndCodesOnce) {
  ASSERT_TRUE(decide());
  at("net_inflow_sum_12m") = 40'000;
  at("inflow_change_1w") = -0.4F;
  ASSERT_TRUE(decide());
  ASSERT_GE(out.reason_count, 3);
  bool favourable = false;
  std::set<int> codes;
  for (int i = 0; i < out.reason_count; ++i) {
    const Reason& reason = out.reasons[static_cast<std::size_t>(i)];
    codes.insert(reason.code);
    if (reason.contribution <= 0) favourable = true;
    EXPECT_FALSE(favourable && reason.contribution > 0) << i;
  }
  EXPECT_EQ(codes.size(), out.reason_count);
}

TEST_F(LimitTest, NeedsItsFeatures) {
  std::vector<std::string> names = testing::plan_names();
  names[column("days_of_history")] = "other";
  try {
    const Policy broken(testing::small_bundle(), names);
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("days_of_history"), std::string::npos);
  }
}

RC_GTEST_PROP(LimitProperty, NeverAboveFiveMonthsOfNetInflow,
              (const std::vector<std::int32_t>& flows, std::uint8_t exponent_seed)) {
  Bundle bundle = testing::small_bundle();
  bundle.policy.limit.step = 1;
  bundle.policy.limit.limit_min = 0;
  bundle.policy.limit.product_cap = 9e13;
  bundle.policy.limit.tiers[0].multiplier = 5;  // right on the cap
  bundle.policy.limit.tiers[1].multiplier = 90;
  const Policy policy(bundle, testing::plan_names());
  const int exponent = exponent_seed % 4;
  const std::int64_t scale = exponent == 0 ? 1 : exponent == 1 ? 10 : exponent == 2 ? 100 : 1000;
  DecisionState state;
  LimitDecision out;
  PolicyScratch scratch;
  for (const std::int32_t flow : flows) {
    const std::int64_t net_minor = static_cast<std::int64_t>(flow) * 1009 + flow % 7;
    std::vector<float> row = sound_row();
    row[column("net_inflow_sum_12m")] =
        static_cast<float>(static_cast<double>(net_minor) / static_cast<double>(scale));
    LimitInput input = limit_input(row, flow % 2 == 0 ? 0.01 : 0.1);
    input.currency_exponent = exponent;
    (void)policy.limit(input, state, out, scratch);
    // limit <= 5 x net / 12, in integers. It holds for what stands, published now or before.
    if (state.status != LimitStatus::active) continue;
    RC_ASSERT(state.limit_minor * 12 <= 5 * net_minor);
  }
}

}  // namespace
}  // namespace tidemark
