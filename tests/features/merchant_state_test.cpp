// A merchant table written as bytes and read back goes on as if nothing had happened: the same
// outcomes, rows and hashes, for every cut of the stream. Bytes that were never written are
// refused.
#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <random>

#include "kernels/base/failure.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

constexpr std::string_view spec = R"(spec: state
measures:
  pay: {source: payments, types: [payment], value: amount}
  back: {source: payments, types: [refund], value: amount}
features:
  - {name: amount, event: amount}
  - {name: max_5, aggregate: max, of: pay, window: 5min}
  - {name: cv_30d, aggregate: cv, of: pay, window: 30d}
  - {name: min_30d, aggregate: min, of: pay, window: 30d}
  - {name: payers_7d, aggregate: distinct, of: pay, window: 7d}
  - {name: median, aggregate: quantile, of: pay, window: 30d, below: 0.5}
  - {name: back_3m, aggregate: sum, of: back, window: 3mo}
  - {name: since_pay, aggregate: since, of: pay, unit: h}
  - {name: recent, aggregate: decayed_sum, of: pay, half_life: 7d}
  - {name: history, event: history, unit: h}
)";

MerchantTableOptions options() {
  MerchantTableOptions options;
  options.merchants_max = 100;
  options.dedup_events_max = 10'000;
  options.dedup_horizon_ms = 36LL * 3'600'000;
  options.default_zone = "Europe/Berlin";
  return options;
}

/// Payments, refunds, profiles with zones and currencies, tombstones, ids that come again.
Stream random_stream(std::uint32_t seed, int events) {
  std::mt19937 random(seed);
  Stream stream;
  std::int64_t now_ms = 1'541'289'600'000;
  for (int i = 0; i < events; ++i) {
    now_ms += random() % 3 == 0 ? random() % 400'000'000 : random() % 100'000;
    Line line;
    line.merchant = "m-" + std::to_string(random() % 4);
    if (random() % 4 == 0) line.merchant += std::string(40, 'x');  // longer than a line holds
    line.id = "e-" + std::to_string(random() % 150);
    line.time_ms = now_ms - (random() % 5 == 0 ? random() % 200'000'000 : 0);
    line.amount_minor = random() % 100'000;
    line.payer = "p-" + std::to_string(random() % 9);
    const unsigned kind = random() % 20;
    if (kind == 0) {
      line.type = EventType::profile;
      line.time_zone = random() % 2 == 0 ? "America/New_York" : "Asia/Kathmandu";
      line.profile_currency = random() % 3 == 0 ? "JPY" : "CNY";
    } else if (kind == 1) {
      line.type = EventType::tombstone;
    } else if (kind < 5) {
      line.type = EventType::refund;
    }
    stream.add(std::move(line));
  }
  return stream;
}

/// The table's bytes, as a checkpoint has them.
struct Saved {
  std::vector<std::string> merchants;
  std::vector<AcceptedId> ids;
};

Saved save(const MerchantTable& table) {
  Saved saved;
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
    ByteWriter out;
    table.save(slot, table.hot(slot), out);
    saved.merchants.push_back(out.take());
  }
  saved.ids = table.live_ids();
  return saved;
}

void restore(const Saved& saved, MerchantTable& table) {
  table.begin_restore(static_cast<std::uint32_t>(saved.merchants.size()), saved.ids.size());
  for (std::uint32_t slot = 0; slot < saved.merchants.size(); ++slot) {
    ByteReader from(saved.merchants[slot]);
    table.restore(slot, from);
    EXPECT_TRUE(from.at_end());
  }
  table.end_restore();
  for (const AcceptedId& id : saved.ids) table.restore_id(id);
}

EventBatch rows_of(const EventBatch& all, std::size_t first, std::size_t count) {
  EventBatch some;
  some.append(all, first, count);
  return some;
}

RC_GTEST_PROP(MerchantState, GoesOnWhereItWasWritten, (std::uint32_t seed)) {
  const auto plan = FeaturePlan::parse(spec, "spec.yaml");
  const Stream stream = random_stream(seed, 300);
  const std::size_t cut = *rc::gen::inRange<std::size_t>(0, 300);
  MerchantTable whole(plan, options());
  const EventBatch before = rows_of(stream.batch, 0, cut);
  const EventBatch after = rows_of(stream.batch, cut, 300 - cut);
  run_table(whole, before, {50}, 1);
  MerchantTable again(plan, options());
  restore(save(whole), again);
  const TableRun expected = run_table(whole, after, {50}, 1);
  const TableRun found = run_table(again, after, {7}, 2);
  RC_ASSERT(found.outcome == expected.outcome);
  RC_ASSERT(found.hashes == expected.hashes);
  RC_ASSERT(found.features.size() == expected.features.size());
  for (const auto& [row, features] : expected.features) {
    const auto& mine = found.features.at(row);
    RC_ASSERT(std::memcmp(mine.data(), features.data(), features.size() * sizeof(float)) == 0);
  }
  for (std::uint32_t slot = 0; slot < whole.size(); ++slot) {
    RC_ASSERT(again.merchant_id(slot) == whole.merchant_id(slot));  // sweeps go by slot
  }
}

TEST(MerchantState, ListsTheIdsThatWereAccepted) {
  const auto plan = FeaturePlan::parse(spec, "spec.yaml");
  const Stream stream = random_stream(3, 200);
  MerchantTable table(plan, options());
  run_table(table, rows_of(stream.batch, 0, 100), {10}, 1);
  EXPECT_EQ(table.accepted_ids_waiting(), 0U);  // nobody asked for them
  Saved saved = save(table);
  table.list_accepted_ids();
  run_table(table, rows_of(stream.batch, 100, 60), {10}, 1);
  EXPECT_GT(table.accepted_ids_waiting(), 0U);
  for (const AcceptedId& id : table.take_accepted_ids()) saved.ids.push_back(id);
  saved.merchants = save(table).merchants;
  MerchantTable again(plan, options());
  restore(saved, again);
  const EventBatch after = rows_of(stream.batch, 100, 100);  // 60 of them for the second time
  const TableRun expected = run_table(table, after, {40}, 1);
  EXPECT_EQ(run_table(again, after, {40}, 1).outcome, expected.outcome);
  EXPECT_THAT(expected.outcome, testing::Contains(Outcome::duplicate));
}

TEST(MerchantState, RefusesBytesThatAreCutOrChanged) {
  const auto plan = FeaturePlan::parse(spec, "spec.yaml");
  const Stream stream = random_stream(5, 100);
  MerchantTable table(plan, options());
  run_table(table, stream.batch, {100}, 1);
  const Saved saved = save(table);
  const std::string& bytes = saved.merchants[0];
  for (std::size_t size = 0; size < bytes.size(); size += size < 100 ? 1 : 97) {
    MerchantTable other(plan, options());
    other.begin_restore(1, 0);
    ByteReader from(std::string_view(bytes).substr(0, size));
    EXPECT_THROW(other.restore(0, from), MalformedBytes) << size;
  }
  {
    MerchantTable other(plan, options());
    other.begin_restore(2, 0);
    for (std::uint32_t slot = 0; slot < 2; ++slot) {
      ByteReader from(bytes);
      other.restore(slot, from);
    }
    EXPECT_THROW(other.end_restore(), MalformedBytes);  // one id in two slots
  }
  {
    MerchantTable other(plan, options());
    other.begin_restore(2, 0);
    ByteReader from(bytes);
    other.restore(0, from);
    EXPECT_THROW(other.end_restore(), MalformedBytes);  // a slot without a merchant
  }
  MerchantTable other(plan, options());
  EXPECT_THROW(other.begin_restore(101, 0), MalformedBytes);  // more than merchants_max
}

TEST(MerchantState, LayoutTellsPlansApart) {
  const auto layout = [](std::string_view features) {
    const std::string text =
        "spec: s\nmeasures:\n  got: {source: payments, value: amount}\n"
        "features:\n" +
        std::string(features);
    return record_layout(*FeaturePlan::parse(text, "s"));
  };
  const std::string_view sum = "  - {name: a, aggregate: sum, of: got, window: 30d}\n";
  EXPECT_EQ(layout(sum), layout(sum));
  EXPECT_NE(layout(sum), layout("  - {name: a, aggregate: sum, of: got, window: 31d}\n"));
  EXPECT_NE(layout(sum), layout("  - {name: a, aggregate: max, of: got, window: 30d}\n"));
}

}  // namespace
}  // namespace tidemark::test
