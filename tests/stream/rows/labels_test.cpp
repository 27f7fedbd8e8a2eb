// Labels: decided by what was known at the stated age, and by nothing that came behind it.
#include "stream/rows/labels.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "kernels/base/civil_time.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::uint64_t merchant = 7, event_id = 70;
constexpr std::int64_t day = ms_per_day;

struct Said {
  EventType type;
  std::int64_t at_ms;
  std::uint64_t ref = 0;
  Outcome outcome = Outcome::applied;
  std::int32_t partition = 0;
};

Feedback heard(const std::vector<Said>& all) {
  EventBatch events;
  events.grow(all.size());
  for (std::size_t row = 0; row < all.size(); ++row) {
    events.type[row] = all[row].type;
    events.event_time_ms[row] = all[row].at_ms;
    events.merchant_hash[row] = merchant;
    events.ref_hash[row] = all[row].ref;
    events.outcome[row] = all[row].outcome;
    events.partition[row] = all[row].partition;
  }
  Feedback feedback;
  feedback.note(events);
  feedback.sort();
  return feedback;
}

/// Of an event at day 10, with a maturity of 7 days.
float label(EventType type, const std::vector<Said>& all) {
  const LabelRule rule{type, 7 * day, ""};
  return heard(all).label(rule, {merchant, event_id, 10 * day, 0});
}
float fraud_label(const std::vector<Said>& all) {
  return label(EventType::fraud, all);
}
float default_label(const std::vector<Said>& all) {
  return label(EventType::loan_default, all);
}

constexpr Said much_later{EventType::payment, 40 * day};

TEST(Labels, AnEventWithoutFeedbackIsGoodOnceItIsMature) {
  EXPECT_EQ(fraud_label({much_later}), 0);
  EXPECT_EQ(fraud_label({{EventType::payment, 17 * day + 1}}), 0);
  EXPECT_TRUE(std::isnan(fraud_label({{EventType::payment, 17 * day}})));
}

TEST(Labels, FraudCountsUpToItsMaturityAndNotBehindIt) {
  EXPECT_EQ(fraud_label({{EventType::fraud, 17 * day, event_id}, much_later}), 1);
  EXPECT_EQ(fraud_label({{EventType::fraud, 17 * day + 1, event_id}, much_later}), 0);
  // Early feedback is no early label: it may still be taken back.
  EXPECT_TRUE(std::isnan(fraud_label({{EventType::fraud, 11 * day, event_id}})));
}

TEST(Labels, TheLastWordWithinMaturityCounts) {
  EXPECT_EQ(fraud_label({{EventType::fraud, 12 * day, event_id},
                         {EventType::legitimate, 13 * day, event_id},
                         much_later}),
            0);
  EXPECT_EQ(fraud_label({{EventType::legitimate, 12 * day, event_id},
                         {EventType::fraud, 13 * day, event_id},
                         {EventType::legitimate, 18 * day, event_id},
                         much_later}),
            1);
}

TEST(Labels, FeedbackOfOthersAndOfNothingSaysNothing) {
  EXPECT_EQ(fraud_label({{EventType::fraud, 12 * day, event_id + 1}, much_later}), 0);
  EXPECT_EQ(fraud_label({{EventType::fraud, 12 * day, 0}, much_later}), 0);
  EXPECT_EQ(fraud_label({{EventType::fraud, 12 * day, event_id, Outcome::duplicate}, much_later}),
            0);
  EXPECT_EQ(
      fraud_label({{EventType::fraud, 12 * day, event_id, Outcome::dead_lettered}, much_later}), 0);
}

TEST(Labels, WhatArrivesBehindItsTimeIsKnownFromThenOn) {
  EXPECT_EQ(fraud_label({{EventType::payment, 18 * day}, {EventType::fraud, 12 * day, event_id}}),
            0);
  EXPECT_EQ(fraud_label({{EventType::payment, 16 * day},
                         {EventType::fraud, 12 * day, event_id, Outcome::late},
                         much_later}),
            1);
}

TEST(Labels, EachPartitionHasATimeOfItsOwn) {
  const Said elsewhere{EventType::payment, 90 * day, 0, Outcome::applied, 1};
  EXPECT_TRUE(std::isnan(fraud_label({{EventType::payment, 11 * day}, elsewhere})));
}

TEST(Labels, ADefaultIsAheadOfItsRows) {
  EXPECT_EQ(default_label({much_later}), 0);
  EXPECT_EQ(default_label({{EventType::loan_default, 11 * day}, much_later}), 1);
  EXPECT_EQ(default_label({{EventType::loan_default, 18 * day}, much_later}), 0);
  EXPECT_EQ(default_label(
                {{EventType::loan_default, 11 * day}, {EventType::repaid, 12 * day}, much_later}),
            1);
}

TEST(Labels, AMerchantInDefaultHasNoLabelUntilItHasRepaid) {
  EXPECT_TRUE(std::isnan(default_label({{EventType::loan_default, 10 * day}, much_later})));
  EXPECT_EQ(
      default_label({{EventType::loan_default, 8 * day}, {EventType::repaid, 9 * day}, much_later}),
      0);
  EXPECT_EQ(default_label({{EventType::loan_default, 8 * day},
                           {EventType::repaid, 9 * day},
                           {EventType::loan_default, 12 * day},
                           much_later}),
            1);
}

TEST(Labels, ARuleIsATypeAndAnAge) {
  EXPECT_EQ(parse_label_rule("fraud:24h").maturity_ms, day);
  EXPECT_EQ(parse_label_rule("default:13w").maturity_ms, 91 * day);
  EXPECT_EQ(parse_label_rule("default:13w").name(), "default");
  for (const char* text : {"", "fraud", "fraud:", "fraud:7", "fraud:d", "fraud:0d", "fraud:-1d",
                           "fraud:7days", "fraud:7m", "late:7d", "fraud:10001d", "fraud: 7d"}) {
    EXPECT_THAT([&] { parse_label_rule(text); },
                ThrowsMessage<UsageError>(HasSubstr("expected fraud:TIME or default:TIME")))
        << text;
  }
}

}  // namespace
}  // namespace tidemark
