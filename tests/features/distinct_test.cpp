// Distinct payers that are exact while they are few: over buckets, when they become many, and when
// the many have left. Small streams written out by hand.
#include <gmock/gmock.h>

#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

std::shared_ptr<const FeaturePlan> plan_of(const std::string& options) {
  return FeaturePlan::parse(
      "spec: distinct\n"
      "measures:\n"
      "  payments: {source: payments, types: [payment]}\n"
      "features:\n"
      "  - {name: n, aggregate: distinct, of: payments, " +
          options + "}\n",
      "f.yaml");
}

/// The feature after each payment: one a payer in the order of `payers`, `per_day` a day.
std::vector<float> counts(const std::string& options, const std::vector<int>& payers, int per_day,
                          std::size_t batch) {
  Stream stream;
  for (std::size_t i = 0; i < payers.size(); ++i) {
    Line line;
    line.payer = "p-" + std::to_string(payers[i]);
    line.time_ms = april_ms + static_cast<std::int64_t>(i) / per_day * day_ms;
    stream.add(line);
  }
  MerchantTable table(plan_of(options), small_options());
  std::vector<float> values;
  for (const auto& [row, features] : run_table(table, stream.batch, {batch}, 1).features) {
    values.push_back(features.at(0));
  }
  return values;
}

TEST(Distinct, FewAreCountedOverAllBuckets) {
  // Three a day, the first of which comes every day: 1 + 2 * days.
  const std::vector<int> payers = {0, 1, 2, 0, 3, 4, 0, 5, 6, 0, 7, 7};
  for (const std::size_t batch : {1U, 5U, 100U}) {
    EXPECT_THAT(counts("window: 7d", payers, 3, batch),
                testing::ElementsAre(1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 8));
  }
}

TEST(Distinct, ManyAreEstimatedAndAreMoreThanFew) {
  std::vector<int> payers;
  for (int i = 0; i < 300; ++i) payers.push_back(i);
  for (const int per_day : {1'000, 60}) {
    const std::vector<float> few = counts("window: 7d", payers, per_day, 64);
    const std::vector<float> sketch = counts("window: 7d, exact_few: false", payers, per_day, 64);
    for (std::size_t i = 0; i < few.size(); ++i) {
      const float truth = static_cast<float>(i + 1);
      EXPECT_EQ(few[i], i < 8 ? truth : std::max(sketch[i], 9.0F)) << i;
    }
  }
}

TEST(Distinct, IsExactAgainWhenTheManyHaveLeft) {
  std::vector<int> payers;
  for (int i = 0; i < 40; ++i) payers.push_back(i);  // one day
  for (int i = 0; i < 80; ++i) payers.push_back(i % 2 == 0 ? 7 : 1'000);
  const std::vector<float> few = counts("window: 2d", payers, 40, 7);
  EXPECT_GT(few[79], 30.0F);
  EXPECT_EQ(few[80], 2.0F);  // two of the day before, one of them again
  EXPECT_EQ(few[119], 2.0F);
}

TEST(Distinct, SaysHowExactItIsAndWhatItCosts) {
  const auto sketch = plan_of("window: 7d, exact_few: false"), few = plan_of("window: 7d");
  EXPECT_NE(sketch->fingerprint(), few->fingerprint());
  EXPECT_EQ(plan_of("window: 7d, exact_few: true")->fingerprint(), few->fingerprint());
  EXPECT_EQ(few->table()[0].bytes_per_key - sketch->table()[0].bytes_per_key, 7U * 8);
  EXPECT_EQ(few->table()[0].label, "exact to 8, then sketch(3.4% at 256)");
  EXPECT_THAT(plan_of("window: 7d, bits: 4096")->table()[0].label,
              testing::StartsWith("exact to 16, "));
  EXPECT_THAT(plan_of("window: 7d, bits: 64")->table()[0].label,
              testing::StartsWith("exact to 1, "));
}

}  // namespace
}  // namespace tidemark::test
