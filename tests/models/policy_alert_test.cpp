// The two-week fall: both readings, the exact border, tiers, and the life of an alert.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/models/policy_fixture.hpp"

namespace tidemark {
namespace {

using testing::column;

class AlertTest : public ::testing::Test {
 protected:
  AlertTest() : policy(testing::small_bundle(), testing::plan_names()) {}

  /// Takings of the last three full weeks, oldest first, and their baseline.
  bool decide(float ago3, float ago2, float ago1, float baseline, std::int32_t week = 2'500) {
    row[column("inflow_sum_1w_ago3")] = ago3;
    row[column("inflow_sum_1w_ago2")] = ago2;
    row[column("inflow_sum_1w_ago1")] = ago1;
    row[column("inflow_sum_8w_before")] = baseline;
    return policy.alert(row, week, 1'000, state, out);
  }

  Policy policy;
  std::vector<float> row = testing::sound_row();
  DecisionState state;
  AlertDecision out;
};

TEST_F(AlertTest, WeekOnWeekNeedsMoreThanFortyPercentTwice) {
  EXPECT_FALSE(decide(5'000, 3'000, 1'800, 0)) << "exactly 40% is not more than 40%";
  EXPECT_FALSE(decide(5'000, 2'999, 1'800, 0)) << "the second week fell by less";
  ASSERT_TRUE(decide(5'000, 2'999, 1'799, 0));
  EXPECT_EQ(out.state, AlertState::opened);
  EXPECT_EQ(out.sequence, 1u);
  EXPECT_EQ(out.readings, 1);
  EXPECT_EQ(out.tier, AlertTier::blue);
  EXPECT_EQ(out.numbers[0], 5'000.0);
  EXPECT_EQ(out.numbers[2], 1'799.0);
  EXPECT_NEAR(out.numbers[4], 1'799.0 / 2'999.0 - 1, 1e-12);
}

TEST_F(AlertTest, ExactlyFortyPercentIsNoAlertWhateverTheFloatsRound) {
  // 33.35 x 0.6 = 20.01 and the like: amounts that float32 cannot hold.
  for (int cents = 100'005; cents < 400'000; cents += 7) {
    const auto ago3 = static_cast<float>(cents * 25 / 100.0);
    const auto ago2 = static_cast<float>(cents * 15 / 100.0);
    const auto ago1 = static_cast<float>(cents * 9 / 100.0);
    ASSERT_FALSE(decide(ago3, ago2, ago1, 0)) << cents;
  }
}

TEST_F(AlertTest, BaselineReadingCatchesAPlateau) {
  ASSERT_TRUE(decide(2'500, 2'500, 2'400, 5'000));
  EXPECT_EQ(out.readings, 2);
  EXPECT_EQ(out.baseline, 5'000.0);
}

TEST_F(AlertTest, SmallTakingsAndMissingNumbersAreNoAlert) {
  EXPECT_FALSE(decide(999, 100, 10, 999));
  const float none = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(decide(none, none, none, none));
}

TEST_F(AlertTest, TiersFollowWhatIsLeft) {
  const std::vector<std::pair<float, AlertTier>> table = {
      {1'700.0F, AlertTier::blue}, {1'500.0F, AlertTier::blue}, {1'499.0F, AlertTier::yellow},
      {750.0F, AlertTier::yellow}, {749.0F, AlertTier::red},    {0.0F, AlertTier::red}};
  for (const auto& [left, tier] : table) {
    state = {};
    ASSERT_TRUE(decide(5'000, 2'900, left, 0)) << left;
    EXPECT_EQ(out.tier, tier) << left;
  }
}

TEST_F(AlertTest, LifeOfAnAlert) {
  ASSERT_TRUE(decide(5'000, 2'900, 1'700, 5'000));
  EXPECT_FALSE(decide(5'000, 2'900, 1'700, 5'000)) << "once a week";
  ASSERT_TRUE(decide(5'000, 2'900, 1'000, 5'000)) << "worse within the week";
  EXPECT_EQ(out.state, AlertState::updated);
  EXPECT_EQ(out.tier, AlertTier::yellow);
  ASSERT_TRUE(decide(2'900, 1'000, 500, 4'700, 2'501));
  EXPECT_EQ(out.state, AlertState::updated);
  EXPECT_EQ(out.tier, AlertTier::red);
  EXPECT_EQ(out.sequence, 1u);
  EXPECT_FALSE(decide(1'000, 500, 3'000, 4'000, 2'502)) << "not back yet";
  ASSERT_TRUE(decide(500, 3'000, 3'500, 3'000, 2'503));
  EXPECT_EQ(out.state, AlertState::closed);
  EXPECT_EQ(out.tier, AlertTier::red);
  EXPECT_EQ(state.alert_open, 0);
  EXPECT_FALSE(decide(500, 3'000, 3'500, 3'000, 2'503));
  ASSERT_TRUE(decide(5'000, 2'900, 1'700, 5'000, 2'510));
  EXPECT_EQ(out.sequence, 2u) << "a new alert, a new number";
}

TEST_F(AlertTest, ANewNormalClosesIt) {
  ASSERT_TRUE(decide(5'000, 2'000, 1'100, 5'000));
  EXPECT_FALSE(decide(1'100, 1'100, 1'100, 1'500, 2'507));
  ASSERT_TRUE(decide(1'100, 1'100, 1'100, 1'500, 2'508));
  EXPECT_EQ(out.state, AlertState::closed);
  DecisionState fresh;
  fresh.alert_sequence = 1;
  EXPECT_EQ(std::memcmp(&state, &fresh, sizeof state), 0) << "nothing stays behind";
}

TEST_F(AlertTest, ReadingsCanBeSwitchedOff) {
  Bundle bundle = testing::small_bundle();
  bundle.policy.fall.against_baseline = false;
  policy = Policy(bundle, testing::plan_names());
  EXPECT_FALSE(decide(2'500, 2'500, 2'400, 5'000));
  bundle.policy.fall.enabled = false;
  policy = Policy(bundle, testing::plan_names());
  EXPECT_FALSE(decide(5'000, 1'000, 100, 5'000));
}

}  // namespace
}  // namespace tidemark
