// The engine against the oracle, bit by bit: random streams with late events, duplicates, refunds,
// other currencies, zones with daylight saving, month ends and leap days; any batch split and any
// number of threads. No difference is tolerated.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <random>

#include "tests/features/stream_builder.hpp"
#include "tests/features/tabled_spec.hpp"

namespace tidemark::test {
namespace {

void expect_no_difference(const std::shared_ptr<const FeaturePlan>& plan, const StreamShape& shape,
                          const std::vector<std::size_t>& sizes, int threads,
                          const RateTable* rates = nullptr) {
  MerchantTableOptions options = small_options();
  options.default_zone = "Europe/Berlin";
  const Stream stream = random_stream(shape);
  MerchantTable table(plan, options);
  const TableRun run = run_table(table, stream.batch, sizes, threads, options.default_zone, rates);
  FeatureOracle oracle(plan, options);
  for (std::size_t row = 0; row < stream.batch.rows(); ++row) {
    const FeatureOracle::Row truth = oracle.next(stream.batch, row, rates);
    RC_ASSERT(name_of(run.outcome[row]) == name_of(truth.outcome));
    if (truth.outcome != Outcome::scored) continue;
    const std::string difference = first_difference(*plan, run.features.at(row), truth.features);
    if (!difference.empty()) RC_FAIL("row " + std::to_string(row) + " " + difference);
  }
  std::mt19937 random(shape.seed + 1);
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
    const std::int64_t at_ms = table.clock_ms(slot) - day_ms + next_step_ms(random);
    std::vector<float> row(plan->names().size());
    table.read_out(slot, at_ms, row);
    const std::string difference =
        first_difference(*plan, row, oracle.read_out(table.merchant_id(slot), at_ms));
    if (!difference.empty()) RC_FAIL("sweep of slot " + std::to_string(slot) + " " + difference);
  }
}

StreamShape any_shape(int events) {
  return {*rc::gen::arbitrary<std::uint32_t>(), *rc::gen::inRange(1, events),
          *rc::gen::inRange(1, 6)};
}

RC_GTEST_PROP(OracleProperty, QuickstartHasNoDifference, ()) {
  static const auto plan = FeaturePlan::load(quickstart_spec());
  expect_no_difference(plan, any_shape(300), {*rc::gen::inRange<std::size_t>(1, 100)},
                       *rc::gen::inRange(1, 4));
}

RC_GTEST_PROP(OracleProperty, WildSpecHasNoDifference, ()) {
  static const auto plan = FeaturePlan::parse(wild_spec, "wild");
  expect_no_difference(plan, any_shape(300), {*rc::gen::inRange<std::size_t>(1, 100)},
                       *rc::gen::inRange(1, 4));
}

RC_GTEST_PROP(OracleProperty, AmountsInOtherCurrenciesHaveNoDifference, ()) {
  static const auto plan = FeaturePlan::parse(wild_spec, "wild");
  StreamShape shape = any_shape(300);
  shape.foreign_of = 2;
  std::mt19937 random(shape.seed + 2);
  const auto rates = random_rates(random);
  expect_no_difference(plan, shape, {*rc::gen::inRange<std::size_t>(1, 100)},
                       *rc::gen::inRange(1, 4), rates.get());
}

RC_GTEST_PROP(OracleProperty, TablesOfPeersAndSeasonsHaveNoDifference, ()) {
  const StreamShape shape = any_shape(300);
  std::mt19937 random(shape.seed + 3);
  const TabledSpec tabled(random);
  expect_no_difference(tabled.plan(), shape, {*rc::gen::inRange<std::size_t>(1, 100)},
                       *rc::gen::inRange(1, 4));
}

RC_GTEST_PROP(OracleProperty, StateIsTheSameForAnySplitThreadsAndCapacity, ()) {
  static const auto plan = FeaturePlan::parse(wild_spec, "wild");
  const Stream stream = random_stream(any_shape(600));
  MerchantTableOptions options = small_options();
  MerchantTable one(plan, options);
  const TableRun first = run_table(one, stream.batch, {stream.batch.rows()}, 1);
  options.merchants_max = 6;
  options.dedup_events_max = 600;
  MerchantTable other(plan, options);
  const auto sizes = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 50)));
  const TableRun second = run_table(other, stream.batch, sizes, 3);
  RC_ASSERT(first.outcome == second.outcome);
  RC_ASSERT(first.hashes == second.hashes);
  RC_ASSERT(first.payers_hash == second.payers_hash);
  for (const auto& [row, features] : first.features) {
    RC_ASSERT(bits_of(features) == bits_of(second.features.at(row)));
  }
}

}  // namespace
}  // namespace tidemark::test
