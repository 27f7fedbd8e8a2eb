// Admission and the table's own promises: outcomes, capacities, ids, profiles, saturation,
// sketches.
#include <gmock/gmock.h>

#include <cmath>
#include <random>
#include <set>

#include "kernels/base/failure.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

std::shared_ptr<const FeaturePlan> quickstart() {
  static const auto plan = FeaturePlan::load(quickstart_spec());
  return plan;
}

Line payment(std::int64_t time_ms, const std::string& id = "") {
  Line line;
  line.time_ms = time_ms;
  line.id = id;
  return line;
}

Line profile(std::int64_t time_ms) {
  Line line;
  line.type = EventType::profile;
  line.time_ms = time_ms;
  line.time_zone = "Asia/Shanghai";
  return line;
}

TEST(MerchantTable, ADuplicateIsOfTheSameSourceAndMerchantWithinTheHorizon) {
  Stream stream;
  stream.add(payment(april_ms, "x"));
  const auto again = stream.add(payment(april_ms, "x"));
  Line other = payment(april_ms, "x");
  other.merchant = "m-2";
  const auto other_merchant = stream.add(other);
  Line invoice = payment(april_ms, "x");
  invoice.type = EventType::issued;
  const auto other_source = stream.add(invoice);
  const auto refund = payment(april_ms + 48 * hour_ms, "x");
  const auto at_horizon = stream.add(payment(april_ms + 48 * hour_ms, "y"));
  const auto still = stream.add(refund);
  stream.add(payment(april_ms + 48 * hour_ms + 1, "z"));
  const auto expired = stream.add(payment(april_ms + 48 * hour_ms + 1, "x"));
  MerchantTable table(quickstart(), small_options());
  const TableRun run = run_table(table, stream.batch, {3}, 1);
  EXPECT_EQ(run.outcome[again], Outcome::duplicate);
  EXPECT_EQ(run.outcome[other_merchant], Outcome::scored);
  EXPECT_EQ(run.outcome[other_source], Outcome::scored);
  EXPECT_EQ(run.outcome[at_horizon], Outcome::scored);
  EXPECT_EQ(run.outcome[still], Outcome::duplicate);
  EXPECT_EQ(run.outcome[expired], Outcome::scored);
}

TEST(MerchantTable, AnotherCurrencyIsADeadLetterThatNamesBoth) {
  Stream stream;
  stream.add(payment(april_ms));
  Line dollars = payment(april_ms);
  dollars.currency = "USD";
  const auto row = stream.add(dollars);
  MerchantTable table(quickstart(), small_options());
  table.admit(stream.batch, 0, stream.batch.rows());
  EXPECT_EQ(stream.batch.outcome[row], Outcome::dead_lettered);
  EXPECT_EQ(stream.batch.error[row], RowError::no_rate);
  EXPECT_THAT(stream.batch.error_message[row],
              testing::AllOf(testing::HasSubstr("USD"), testing::HasSubstr("CNY")));
  EXPECT_EQ(stream.batch.slot[row], no_slot);
}

TEST(MerchantTable, AFullTableNamesTheSetting) {
  MerchantTableOptions options = small_options();
  options.merchants_max = 2;
  MerchantTable table(quickstart(), options);
  Stream stream;
  for (int m = 0; m < 3; ++m) {
    Line line = payment(april_ms);
    line.merchant = "m-" + std::to_string(m);
    stream.add(line);
  }
  try {
    table.admit(stream.batch, 0, 3);
    FAIL() << "a third merchant fitted into a table of two";
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("capacity.merchants_max is 2"));
  }
}

TEST(MerchantTable, AFullIdTableNamesTheSettingAndExpiredIdsMakeRoom) {
  MerchantTableOptions options = small_options();
  options.dedup_events_max = 100;
  MerchantTable table(quickstart(), options);
  for (int day = 0; day < 10; ++day) {  // 90 ids in any 48 hours, 300 in all
    Stream stream;
    for (int i = 0; i < 30; ++i) {
      stream.add(payment(april_ms + day * day_ms, std::to_string(day) + "-" + std::to_string(i)));
    }
    table.admit(stream.batch, 0, 30);
    EXPECT_LE(table.dedup_events(), 100U);
  }
  Stream stream;
  for (int i = 0; i < 101; ++i) stream.add(payment(april_ms + 30 * day_ms));
  try {
    table.admit(stream.batch, 0, 101);
    FAIL() << "101 ids fitted into a table of 100";
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("capacity.dedup_events_max is 100"));
  }
}

TEST(MerchantTable, IdsStayKnownWhileTheTableGrows) {
  MerchantTable table(quickstart(), small_options());
  Stream first;
  for (int i = 0; i < 20'000; ++i) first.add(payment(april_ms + i, "id-" + std::to_string(i)));
  Stream again;
  for (int i = 0; i < 20'000; ++i) again.add(payment(april_ms + i, "id-" + std::to_string(i)));
  table.admit(first.batch, 0, 20'000);
  table.admit(again.batch, 0, 20'000);
  EXPECT_THAT(first.batch.outcome, testing::Each(Outcome::scored));
  EXPECT_THAT(again.batch.outcome, testing::Each(Outcome::duplicate));
  EXPECT_EQ(table.dedup_events(), 20'000U);
}

TEST(MerchantTable, RowsThatAreDeadAlreadyAreLeftAlone) {
  Stream stream;
  const auto row = stream.add(payment(april_ms));
  stream.batch.outcome[row] = Outcome::dead_lettered;
  MerchantTable table(quickstart(), small_options());
  table.admit(stream.batch, 0, 1);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(stream.batch.slot[row], no_slot);
}

TEST(MerchantTable, ATombstoneClearsTheProfileAndKeepsTheWindows) {
  Stream stream;
  stream.add(payment(april_ms));
  stream.add(profile(april_ms));
  MerchantTable table(quickstart(), small_options());
  run_table(table, stream.batch, {1}, 1);
  EXPECT_EQ(table.profile(0).industry, "retail");
  Stream more;
  Line tombstone;
  tombstone.type = EventType::tombstone;
  tombstone.time_ms = april_ms + 400 * day_ms;  // the log's time, of no meaning to the merchant
  more.add(tombstone);
  const auto row = more.add(payment(april_ms, "second"));
  tombstone.merchant = "nobody";
  const auto unknown = more.add(tombstone);
  const TableRun run = run_table(table, more.batch, {1}, 1);
  EXPECT_EQ(run.outcome[row], Outcome::scored) << "a tombstone moves no clock";
  EXPECT_EQ(run.outcome[unknown], Outcome::applied);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.profile(0).industry, "");
  const auto column = static_cast<std::size_t>(table.plan().column("payment_count_30d"));
  EXPECT_EQ(run.features.at(row)[column], 2);
}

TEST(MerchantTable, LongIdsAndIdsOfOneHashAreKeptApart) {
  Stream stream;
  Line line = payment(april_ms);
  line.merchant = std::string(200, 'a');
  stream.add(line);
  line.merchant = std::string(200, 'b');
  const auto row = stream.add(line);
  stream.batch.merchant_hash[row] = stream.batch.merchant_hash[0];
  MerchantTable table(quickstart(), small_options());
  table.admit(stream.batch, 0, 2);
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.merchant_id(stream.batch.slot[row]), std::string(200, 'b'));
  EXPECT_EQ(table.find(std::string(200, 'a')), 0U);
  EXPECT_EQ(table.find("nobody"), no_slot);
}

TEST(MerchantTable, SumsStopAtTheCeilingAndSaySo) {
  Stream stream;
  Line line = payment(april_ms);
  line.amount_minor = INT64_MAX;
  for (int i = 0; i < 300; ++i) {
    line.id = "big-" + std::to_string(i);
    line.time_ms = april_ms + i / 10 * day_ms;
    stream.add(line);
  }
  MerchantTable table(quickstart(), small_options());
  const TableRun run = run_table(table, stream.batch, {100}, 1);
  EXPECT_TRUE(table.saturated(0));
  const auto column = static_cast<std::size_t>(table.plan().column("inflow_sum_30d"));
  EXPECT_EQ(run.features.at(299)[column],
            static_cast<float>(30.0 * static_cast<double>(bucket_sum_max) / 100));
}

TEST(MerchantTable, DistinctPayersAreWithinThePrintedError) {
  const auto plan = quickstart();
  const auto column = static_cast<std::size_t>(plan->column("distinct_payers_7d"));
  double worst = 0, squares = 0;
  constexpr int trials = 100, payers = 256;
  for (int trial = 0; trial < trials; ++trial) {
    Stream stream;
    for (int i = 0; i < 3 * payers; ++i) {
      Line line = payment(april_ms + i);
      line.payer = "p-" + std::to_string(trial) + "-" + std::to_string(i % payers);
      stream.add(line);
    }
    MerchantTable table(plan, small_options());
    const TableRun run = run_table(table, stream.batch, {1'000}, 1);
    const double error = run.features.at(3 * payers - 1)[column] / payers - 1.0;
    worst = std::max(worst, std::abs(error));
    squares += error * error;
  }
  EXPECT_LT(std::sqrt(squares / trials), 1.3 * sketch_error(512));
  EXPECT_LT(worst, 5 * sketch_error(512));
}

TEST(MerchantTable, ASweepReadsAtTheTickAndChangesNothing) {
  Stream stream;
  stream.add(payment(april_ms));
  MerchantTable table(quickstart(), small_options());
  run_table(table, stream.batch, {1}, 1);
  const std::uint64_t before = table.hash(0);
  std::vector<float> row(table.plan().names().size());
  const auto value = [&](const char* name) {
    return row[static_cast<std::size_t>(table.plan().column(name))];
  };
  table.read_out(0, april_ms + 10 * day_ms, row);
  EXPECT_EQ(value("payment_count_7d"), 0);
  EXPECT_EQ(value("payment_count_30d"), 1);
  EXPECT_EQ(value("hours_since_payment"), 240);
  EXPECT_TRUE(std::isnan(value("amount")));
  EXPECT_EQ(value("is_payment"), 0);
  EXPECT_EQ(table.hash(0), before);
  EXPECT_EQ(table.clock_ms(0), april_ms);
}

TEST(MerchantTable, TheHashHangsOnWhatWasApplied) {
  const auto hash_after = [](std::int64_t amount, const std::string& id) {
    Stream stream;
    Line line = payment(april_ms, id);
    line.amount_minor = amount;
    stream.add(line);
    MerchantTable table(quickstart(), small_options());
    return run_table(table, stream.batch, {1}, 1).hashes.at("m-1");
  };
  EXPECT_EQ(hash_after(1, "a"), hash_after(1, "a"));
  EXPECT_NE(hash_after(1, "a"), hash_after(2, "a"));
  EXPECT_NE(hash_after(1, "a"), hash_after(1, "b"));
}

}  // namespace
}  // namespace tidemark::test
