// A plan that does not fit is refused by name, one that just fits is not.
#include "stream/pipeline/memory_check.hpp"

#include <gmock/gmock.h>

#include "features/merchant_table.hpp"
#include "features/payer_table.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

constexpr std::string_view spec = R"(spec: s
measures:
  got: {source: payments, value: amount}
  paid: {entity: payer, source: payments, value: amount}
features:
  - {name: a, aggregate: sum, of: got, window: 30d}
  - {name: b, aggregate: sum, of: paid, window: 30d}
)";

TEST(MemoryCheck, CountsMerchantsIdsAndPayers) {
  const auto plan = FeaturePlan::parse(spec, "s");
  Config config;
  config.file = "tidemark.yaml";
  config.merchants_max = 1000;
  config.dedup_events_max = 100'000;
  config.payers_max = 2000;
  MerchantTableOptions table;
  table.merchants_max = 1000;
  table.dedup_events_max = 100'000;
  const MemoryPlan memory = memory_plan(*plan, table);
  const std::size_t need =
      memory.merchants_bytes + memory.dedup_bytes + 2000 * bytes_per_payer(*plan);
  EXPECT_NO_THROW(check_memory(config, *plan, true, need));
  EXPECT_NO_THROW(check_memory(config, *plan, false, need - 1)) << "payers are elsewhere";
  EXPECT_NO_THROW(check_payer_memory(config, *plan, need - memory.merchants_bytes));
  EXPECT_THROW(check_payer_memory(config, *plan, need - memory.merchants_bytes - 1), UsageError);
  try {
    check_memory(config, *plan, true, need - 1);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::StartsWith("tidemark.yaml: capacity"),
                                             testing::HasSubstr("merchants_max"),
                                             testing::HasSubstr("payers_max")));
  }
}

TEST(MemoryCheck, KnowsTheMachine) {
  EXPECT_GT(machine_memory_bytes(), std::size_t{64} << 20);
}

}  // namespace
}  // namespace tidemark
