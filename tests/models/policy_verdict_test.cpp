// Verdicts: the thresholds to the bit, and reasons in their order with codes added up.
#include <gtest/gtest.h>

#include "kernels/base/failure.hpp"
#include "tests/models/policy_fixture.hpp"

namespace tidemark {
namespace {

using testing::column;

struct VerdictTest : ::testing::Test {
  Bundle bundle = testing::small_bundle();
  Policy policy{bundle, testing::plan_names()};
  std::vector<float> row = testing::sound_row();
  VerdictDecision out;
  PolicyScratch scratch;
};

TEST_F(VerdictTest, ThresholdsBelongToTheHarsherSide) {
  const std::vector<std::pair<double, Verdict>> table = {
      {0.0, Verdict::allow},
      {std::nextafter(0.5, 0.0), Verdict::allow},
      {0.5, Verdict::review},
      {std::nextafter(0.9, 0.0), Verdict::review},
      {0.9, Verdict::block},
      {1.0, Verdict::block},
      {std::numeric_limits<double>::quiet_NaN(), Verdict::block}};
  for (const auto& [score, verdict] : table) {
    policy.verdict(row, score, out, scratch);
    EXPECT_EQ(out.verdict, verdict) << score;
    EXPECT_EQ(out.reason_count >= 3, verdict != Verdict::allow) << score;
  }
}

TEST_F(VerdictTest, ReasonsAdverseFirstThenTheLargest) {
  row[column("amount")] = 500;                 // +2
  row[column("chargeback_count_30d")] = 4;     // +0.5
  row[column("chargeback_ratio_30d")] = 0.2F;  // +0.25, same code
  row[column("payment_count_1h")] = 9;         // +1
  row[column("days_of_history")] = 10;         // +0.75 against the typical merchant
  policy.verdict(row, 0.7, out, scratch);
  ASSERT_EQ(out.reason_count, 4);
  EXPECT_EQ(out.reasons[0].feature, column("amount"));
  EXPECT_FLOAT_EQ(out.reasons[0].contribution, 2.0F);
  EXPECT_EQ(out.reasons[0].value, 500.0F);
  EXPECT_EQ(out.reasons[0].typical, 20.0F);
  EXPECT_EQ(out.reasons[1].feature, column("payment_count_1h"));
  // The chargebacks make 0.75 together, as the history does; the lower code comes first.
  EXPECT_EQ(out.reasons[2].feature, column("days_of_history"));
  EXPECT_FLOAT_EQ(out.reasons[3].contribution, 0.75F);
  EXPECT_EQ(out.reasons[3].feature, column("chargeback_count_30d"));
}

TEST_F(VerdictTest, FillsUpWithTheTrueSign) {
  bundle.baseline[column("days_of_history")] = 10;
  const Policy other(bundle, testing::plan_names());
  row[column("amount")] = 500;
  row[column("chargeback_count_30d")] = 4;
  other.verdict(row, 0.7, out, scratch);
  ASSERT_GE(out.reason_count, 3);
  EXPECT_FLOAT_EQ(out.reasons[0].contribution, 2.0F);
  EXPECT_FLOAT_EQ(out.reasons[1].contribution, 0.5F) << "smaller than the next, but adverse";
  EXPECT_EQ(out.reasons[2].feature, column("days_of_history"));
  EXPECT_FLOAT_EQ(out.reasons[2].contribution, -0.75F);
}

TEST_F(VerdictTest, AModelWithoutACreditForestGivesVerdictsOnly) {
  bundle.credit = Forest();
  bundle.credit_columns.clear();
  EXPECT_THROW(Policy(bundle, testing::plan_names()), UsageError);
  bundle.policy.limit.enabled = false;
  const Policy verdicts(bundle, testing::plan_names());
  EXPECT_FALSE(verdicts.has_limits());
  DecisionState state;
  LimitDecision limit;
  EXPECT_FALSE(verdicts.limit(testing::limit_input(row), state, limit, scratch));
}

TEST_F(VerdictTest, TooFewReasonCodesAreRefused) {
  for (auto& code : bundle.reasons.column_codes) code = rule_reason_count;
  EXPECT_THROW(Policy(bundle, testing::plan_names()), UsageError);
}

}  // namespace
}  // namespace tidemark
