// Numbers of the last events: which they are, what becomes of late ones and of feedback, what a
// spec may ask for. Small streams written out by hand; the random ones are in the property tests.
#include <gmock/gmock.h>

#include <cmath>

#include "kernels/base/failure.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

std::shared_ptr<const FeaturePlan> plan_of(const std::string& features) {
  return FeaturePlan::parse(
      "spec: last\n"
      "measures:\n"
      "  payments: {source: payments, types: [payment], value: amount}\n"
      "  bills: {source: invoices}\n"
      "  paid: {entity: payer, source: payments, types: [payment], value: amount}\n"
      "features:\n" +
          features,
      "f.yaml");
}

/// One merchant's stream under a spec, in the given batches.
class Last {
 public:
  explicit Last(const std::string& features) : plan_(plan_of(features)) {}

  std::size_t pay(const std::string& id, std::int64_t time_ms, std::int64_t amount_minor = 100) {
    Line line;
    line.id = id;
    line.time_ms = time_ms;
    line.amount_minor = amount_minor;
    return stream_.add(line);
  }
  void say(EventType type, const std::string& ref, std::int64_t time_ms) {
    Line line;
    line.type = type;
    line.ref = ref;
    line.time_ms = time_ms;
    stream_.add(line);
  }
  float value(std::size_t row, std::string_view name, std::size_t batch = 3) const {
    MerchantTable table(plan_, small_options());
    const TableRun run = run_table(table, stream_.batch, {batch}, 1);
    return run.features.at(row)[static_cast<std::size_t>(plan_->column(name))];
  }

 private:
  std::shared_ptr<const FeaturePlan> plan_;
  Stream stream_;
};

TEST(LastEvents, AreTheCurrentOneAndThoseAcceptedBeforeIt) {
  Last last(
      "  - {name: \"{aggregate}_3\", aggregates: [sum, mean, min, max, stddev], of: payments, "
      "last: 3}\n"
      "  - {name: sum_2, aggregate: sum, of: payments, last: 2}\n");
  for (int i = 0; i < 5; ++i) last.pay("p" + std::to_string(i), april_ms + i, 100 * (i + 1));
  const std::size_t late = last.pay("late", april_ms - day_ms, 900);
  EXPECT_EQ(last.value(0, "mean_3"), 1.0F);
  EXPECT_EQ(last.value(0, "stddev_3"), 0.0F);
  EXPECT_EQ(last.value(4, "sum_3"), 12.0F);
  EXPECT_EQ(last.value(4, "sum_2"), 9.0F);
  EXPECT_EQ(last.value(4, "min_3"), 3.0F);
  EXPECT_EQ(last.value(4, "max_3"), 5.0F);
  EXPECT_EQ(last.value(4, "stddev_3"), static_cast<float>(std::sqrt(2.0 / 3.0)));
  // Accepted last, so it is the newest, whatever its time.
  EXPECT_EQ(last.value(late, "sum_3"), 18.0F);
}

TEST(LastEvents, ThereAreNoneBeforeTheFirst) {
  Last last(
      "  - {name: amount, event: amount}\n"
      "  - {name: \"paid_{aggregate}\", aggregates: [sum, mean], of: paid, last: 3}\n"
      "  - {name: risk, aggregate: fraud_share, of: payments, last: 3, matures: 7d}\n"
      "  - {name: risk_0, aggregate: fraud_share, of: payments, last: 3, matures: 7d, empty: 0}\n");
  const std::size_t row = last.pay("p", april_ms);
  EXPECT_TRUE(std::isnan(last.value(row, "paid_sum")));  // names no payer
  EXPECT_TRUE(std::isnan(last.value(row, "risk")));
  EXPECT_EQ(last.value(row, "risk_0"), 0.0F);
}

TEST(LastEvents, FraudShareIsOfThePaymentsThatAreOldEnough) {
  Last last("  - {name: risk, aggregate: fraud_share, of: payments, last: 2, matures: 7d}\n");
  for (int day = 0; day < 4; ++day) last.pay("p" + std::to_string(day), april_ms + day * day_ms);
  last.say(EventType::fraud, "p1", april_ms + 4 * day_ms);
  last.say(EventType::fraud, "p3", april_ms + 4 * day_ms);
  const std::size_t first = last.pay("a", april_ms + 7 * day_ms);       // p0 alone is 7 days old
  const std::size_t second = last.pay("b", april_ms + 8 * day_ms);      // p0, p1
  const std::size_t third = last.pay("c", april_ms + 9 * day_ms - 1);   // still
  const std::size_t fourth = last.pay("d", april_ms + 10 * day_ms);     // p2, p3
  last.say(EventType::legitimate, "p3", april_ms + 10 * day_ms);        // an appeal
  const std::size_t fifth = last.pay("e", april_ms + 10 * day_ms + 1);  // the same two
  for (const std::size_t batch : {1U, 4U, 50U}) {
    EXPECT_EQ(last.value(first, "risk", batch), 0.0F);
    EXPECT_EQ(last.value(second, "risk", batch), 0.5F);
    EXPECT_EQ(last.value(third, "risk", batch), 0.5F);
    EXPECT_EQ(last.value(fourth, "risk", batch), 0.5F);
    EXPECT_EQ(last.value(fifth, "risk", batch), 0.0F);
  }
}

TEST(LastEvents, FraudShareHoldsNoMoreThanItSays) {
  Last last(
      "  - {name: risk, aggregate: fraud_share, of: payments, last: 2, matures: 1d, among: 3}\n");
  last.pay("old", april_ms);
  last.say(EventType::fraud, "old", april_ms);
  last.say(EventType::fraud, "unknown", april_ms);
  const std::size_t known = last.pay("a", april_ms + day_ms);
  const std::size_t still = last.pay("b", april_ms + day_ms);
  const std::size_t gone = last.pay("c", april_ms + day_ms);
  EXPECT_EQ(last.value(known, "risk"), 1.0F);
  EXPECT_EQ(last.value(still, "risk"), 1.0F);
  EXPECT_TRUE(std::isnan(last.value(gone, "risk")));
}

TEST(LastEvents, SpecRefusesWhatHasNoMeaning) {
  const std::map<std::string, std::string> bad = {
      {"aggregate: mean, of: payments, last: 0", "last"},
      {"aggregate: mean, of: payments, last: 65", "64"},
      {"aggregate: mean, of: payments, last: 3, window: 7d", "window"},
      {"aggregate: mean, of: payments, last: 3, windows: [7d]", "stands beside windows"},
      {"aggregate: mean, of: bills, last: 3", "has no value"},
      {"aggregate: distinct, of: payments, last: 3", "goes with sum"},
      {"aggregate: fraud_share, of: payments, matures: 7d", "last"},
      {"aggregate: fraud_share, of: payments, last: 9", "matures"},
      {"aggregate: fraud_share, of: payments, last: 9, matures: 1mo", "months differ"},
      {"aggregate: fraud_share, of: payments, last: 9, matures: 7d, among: 8", "last"},
      {"aggregate: fraud_share, of: payments, last: 9, matures: 7d, among: 1025", "among"},
      {"aggregate: fraud_share, of: bills, last: 9, matures: 7d", "feedback is on"},
      {"aggregate: fraud_share, of: paid, last: 9, matures: 7d", "feedback is on"},
  };
  for (const auto& [feature, word] : bad) {
    std::string refusal = "accepted";
    try {
      plan_of("  - {name: c, " + feature + "}\n");
    } catch (const UsageError& error) {
      refusal = error.what();
    }
    EXPECT_THAT(refusal, testing::AllOf(testing::StartsWith("f.yaml:7:"), testing::HasSubstr(word)))
        << feature;
  }
}

TEST(LastEvents, FingerprintAndBytesHangOnTheirNumber) {
  const auto risk = [](const std::string& options) {
    return plan_of("  - {name: r, aggregate: fraud_share, of: payments, " + options + "}\n");
  };
  const auto base = risk("last: 8, matures: 7d, among: 64");
  EXPECT_NE(risk("last: 9, matures: 7d, among: 64")->fingerprint(), base->fingerprint());
  EXPECT_NE(risk("last: 8, matures: 8d, among: 64")->fingerprint(), base->fingerprint());
  EXPECT_NE(risk("last: 8, matures: 7d, among: 65")->fingerprint(), base->fingerprint());
  EXPECT_EQ(risk("last: 8, matures: 168h, among: 64")->fingerprint(), base->fingerprint());
  EXPECT_EQ(base->table()[0].bytes_per_key, 8U + 64 * 16);
  EXPECT_EQ(base->table()[0].window, "last 8 older than 7d, among 64");
  const auto shared = plan_of(
      "  - {name: a, aggregate: mean, of: payments, last: 8}\n"
      "  - {name: b, aggregate: max, of: payments, last: 16}\n");
  EXPECT_EQ(shared->table()[0].bytes_per_key, 8U + 8 * 8);
  EXPECT_EQ(shared->table()[1].bytes_per_key, 8U * 8);
  EXPECT_EQ(shared->table()[1].label, "exact");
  EXPECT_EQ(shared->table()[1].window, "last 16");
}

}  // namespace
}  // namespace tidemark::test
