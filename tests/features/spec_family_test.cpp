// Families of features and entities in a spec: what they expand to, and what is refused.
#include <gmock/gmock.h>

#include "kernels/base/failure.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

constexpr std::string_view head = R"(spec: s
measures:
  payments: {source: payments, types: [payment], value: amount}
  paid: {entity: payer, source: payments, types: [payment], value: amount}
features:
  - {name: amount, event: amount}
  - {name: night, event: night}
)";

std::shared_ptr<const FeaturePlan> plan_of(const std::string& features) {
  return FeaturePlan::parse(std::string(head) + features, "f.yaml");
}

std::string refusal_of(const std::string& features) {
  try {
    plan_of(features);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(SpecFamily, IsTheFeaturesWrittenOneByOne) {
  const auto family = plan_of(
      "  - {name: \"in_{aggregate}_{window}\", aggregates: [sum, count], of: payments,\n"
      "     windows: [1d, 7d], delay: \"{window}\"}\n"
      "  - {name: \"over_{window}\", ratio: [amount, \"in_sum_{window}\"], windows: [1d, 7d]}\n");
  const auto single = plan_of(
      "  - {name: in_sum_1d, aggregate: sum, of: payments, window: 1d, delay: 1d}\n"
      "  - {name: in_sum_7d, aggregate: sum, of: payments, window: 7d, delay: 7d}\n"
      "  - {name: in_count_1d, aggregate: count, of: payments, window: 1d, delay: 1d}\n"
      "  - {name: in_count_7d, aggregate: count, of: payments, window: 7d, delay: 7d}\n"
      "  - {name: over_1d, ratio: [amount, in_sum_1d]}\n"
      "  - {name: over_7d, ratio: [amount, in_sum_7d]}\n");
  EXPECT_THAT(family->names(), testing::ElementsAreArray(single->names()));
  EXPECT_EQ(family->fingerprint(), single->fingerprint());
}

TEST(SpecFamily, RefusesWhatItCannotName) {
  const std::map<std::string, std::string> bad = {
      {"{name: c, aggregate: sum, of: payments, windows: [1d, 7d]}", "needs {window}"},
      {"{name: c, aggregates: [sum, mean], of: payments, window: 1d}", "needs {aggregate}"},
      {"{name: c, aggregate: sum, of: payments, window: 1d, windows: [1d]}", "beside windows"},
      {"{name: c, aggregate: sum, of: payments, windows: []}", "lists nothing"},
      {"{name: c, aggregate: sum, of: payments, windows: [[1d]]}", "a word"},
      {"{name: \"c_{window}\", aggregate: sum, of: payments, windows: [1d, soon]}", "'soon'"},
      {"{name: \"c_{window}\", ratio: [amount, \"d_{window}\"], windows: [1d, 2d]}", "'d_1d'"},
  };
  for (const auto& [feature, word] : bad) {
    EXPECT_THAT(refusal_of("  - " + feature + "\n"),
                testing::AllOf(testing::StartsWith("f.yaml:8:"), testing::HasSubstr(word)))
        << feature;
  }
}

TEST(SpecFamily, TenThousandFeaturesCompileAndRun) {
  std::string features;
  for (int delay = 0; delay < 100; ++delay) {
    features += "  - {name: \"f" + std::to_string(delay) +
                "_{aggregate}_{window}\", aggregates: [sum, count, mean, max, cv], of: payments, "
                "delay: " +
                std::to_string(delay) + "d, windows: [";
    for (int days = 1; days <= 20; ++days) {
      features += (days == 1 ? "" : ", ") + std::to_string(days) + "d";
    }
    features += "]}\n";
  }
  const auto plan = plan_of(features);
  EXPECT_EQ(plan->names().size(), 10'002U);
  Stream stream;
  for (int day = 0; day < 3; ++day) {
    Line line;
    line.time_ms = april_ms + day * day_ms;
    stream.add(line);
  }
  MerchantTable table(plan, small_options());
  const TableRun run = run_table(table, stream.batch, {2}, 1);
  EXPECT_EQ(run.features.at(2)[static_cast<std::size_t>(plan->column("f1_count_2d"))], 2);
}

TEST(SpecEntity, FollowsFromTheParts) {
  const auto plan = plan_of(
      "  - {name: paid_7d, aggregate: mean, of: paid, window: 7d}\n"
      "  - {name: over, ratio: [amount, paid_7d]}\n"
      "  - {name: in_7d, aggregate: sum, of: payments, window: 7d}\n"
      "  - {name: days, event: history, unit: d, entity: payer}\n");
  std::vector<Entity> entities;
  for (const FeatureInfo& info : plan->table()) entities.push_back(info.entity);
  using enum Entity;
  EXPECT_THAT(entities, testing::ElementsAre(event, event, payer, payer, merchant, payer));
  EXPECT_TRUE(plan->has_payers());
  EXPECT_FALSE(plan_of("")->has_payers());
}

TEST(SpecEntity, OfAMeasureChangesTheFingerprint) {
  const auto of = [](const std::string& measure) {
    return plan_of("  - {name: c, aggregate: sum, of: " + measure + ", window: 7d}\n")
        ->fingerprint();
  };
  EXPECT_NE(of("payments"), of("paid"));
}

TEST(SpecEntity, RefusesMixtures) {
  const std::string both =
      "  - {name: paid_7d, aggregate: sum, of: paid, window: 7d}\n"
      "  - {name: in_7d, aggregate: sum, of: payments, window: 7d}\n";
  EXPECT_THAT(refusal_of(both + "  - {name: c, ratio: [paid_7d, in_7d]}\n"),
              testing::HasSubstr("of the merchant and of the payer"));
  EXPECT_THAT(refusal_of(both + "  - {name: c, ratio: [paid_7d, night]}\n"),
              testing::HasSubstr("night or weekend"));
}

}  // namespace
}  // namespace tidemark::test
