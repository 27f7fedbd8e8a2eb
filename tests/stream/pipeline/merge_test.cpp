// The order in which sources of one partition meet: by time, source, offset; waits; cuts.
#include "stream/pipeline/merge.hpp"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

using std::chrono::milliseconds;

std::unique_ptr<EventBatch> rows_at(Source source, std::vector<std::int64_t> times,
                                    std::int64_t first_offset = 0, std::int64_t kafka_ms = 1000) {
  auto batch = std::make_unique<EventBatch>();
  batch->grow(times.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    batch->source[i] = source;
    batch->offset[i] = first_offset + static_cast<std::int64_t>(i);
    batch->event_time_ms[i] = times[i];
    batch->kafka_time_ms[i] = kafka_ms;
  }
  return batch;
}

struct Merged {
  SourceMerge merge{milliseconds(50)};
  MonotonicTime now = MonotonicTime() + std::chrono::hours(1);
  EventBatch out;

  void push(Source source, std::vector<std::int64_t> times, std::int64_t offset = 0) {
    merge.push(source, rows_at(source, std::move(times), offset), now);
  }
  std::size_t take(std::size_t most = 1000, std::int64_t tick = INT64_MAX) {
    return merge.take(out, most, {tick}, now);
  }
  std::string order() const {
    std::string text;
    for (std::size_t i = 0; i < out.rows(); ++i) {
      text += std::string(1, name_of(out.source[i])[0]) + std::to_string(out.offset[i]) + " ";
    }
    return text;
  }
};

TEST(Merge, OrdersByTimeThenSourceThenOffset) {
  Merged m;
  m.push(Source::feedback, {5, 7});
  m.push(Source::payments, {5, 6, 6, 9});
  m.push(Source::invoices, {5, 6});
  EXPECT_EQ(m.take(), 8U);
  EXPECT_EQ(m.order(), "p0 i0 f0 p1 p2 i1 f1 p3 ");
}

TEST(Merge, TheResultDoesNotDependOnHowMuchIsTakenAtOnce) {
  Merged whole, pieces;
  for (Merged* m : {&whole, &pieces}) {
    m->push(Source::payments, {1, 4, 2, 8, 8, 9});
    m->push(Source::invoices, {3, 3, 8});
  }
  whole.take();
  for (std::size_t rows = 1; pieces.take(rows) > 0; ++rows) {
  }
  EXPECT_EQ(whole.order(), pieces.order());
  EXPECT_EQ(whole.out.rows(), 9U);
}

TEST(Merge, WaitsForASourceThatIsCatchingUp) {
  Merged m;
  m.merge.set_state(Source::invoices, SourceState::catching_up);
  m.push(Source::payments, {1, 2});
  EXPECT_EQ(m.take(), 0U);
  m.push(Source::invoices, {1});
  EXPECT_EQ(m.take(), 2U) << "the second payment waits for the next invoice";
  m.merge.set_state(Source::invoices, SourceState::closed);
  EXPECT_EQ(m.take(), 1U);
  EXPECT_EQ(m.order(), "p0 i0 p1 ");
}

TEST(Merge, AtTheLiveEndHoldsARecordNoLongerThanTheIdleTime) {
  Merged m;
  m.merge.set_state(Source::invoices, SourceState::live_end);
  m.push(Source::payments, {1});
  EXPECT_EQ(m.take(), 0U);
  m.now += milliseconds(49);
  EXPECT_EQ(m.take(), 0U);
  m.now += milliseconds(1);
  EXPECT_EQ(m.take(), 1U);
}

TEST(Merge, ABadOrUntrustworthyRecordKeepsItsPlaceBehindTheOneBefore) {
  Merged m;
  auto payments = rows_at(Source::payments, {1, 900, no_time, 2000, 4});
  payments->outcome[1] = Outcome::dead_lettered;  // says 900, but will be a dead letter
  payments->outcome[2] = Outcome::dead_lettered;  // no readable time
  m.merge.push(Source::payments, std::move(payments), m.now);  // 2000 is ahead of the log's 1000
  m.push(Source::invoices, {2, 3});
  m.take();
  EXPECT_EQ(m.order(), "p0 p1 p2 p3 i0 i1 p4 ");
}

TEST(Merge, ATombstoneHasNoTimeOfItsOwn) {
  Merged m;
  auto merchants = rows_at(Source::merchants, {1, 900});
  merchants->type[1] = EventType::tombstone;
  m.merge.push(Source::merchants, std::move(merchants), m.now);
  m.push(Source::payments, {2});
  EXPECT_EQ(m.take(1000, 500), 3U) << "it crosses no tick";
  EXPECT_EQ(m.order(), "m0 m1 p0 ");
}

TEST(Merge, StopsBeforeTheRowThatCrossesATick) {
  Merged m;
  m.push(Source::payments, {1, 5, 10, 3});
  EXPECT_EQ(m.take(1000, 10), 2U);
  EXPECT_EQ(m.take(1000, 10), 0U);
  const auto crossing = m.merge.crossing({10}, m.now);
  ASSERT_TRUE(crossing.has_value());
  EXPECT_EQ(crossing->offset, 2);
  EXPECT_FALSE(m.merge.crossing({11}, m.now).has_value());
  EXPECT_EQ(m.take(1000, 20), 2U);
}

TEST(Merge, AControlRowComesAlone) {
  Merged m;
  m.push(Source::payments, {1, 5});
  m.push(Source::control, {3});
  EXPECT_EQ(m.take(), 1U);
  m.out.clear();
  EXPECT_EQ(m.take(), 1U);
  EXPECT_EQ(m.order(), "c0 ");
  m.out.clear();
  EXPECT_EQ(m.take(), 1U);
}

TEST(Merge, KnowsHowMuchWaits) {
  Merged m;
  auto payments = rows_at(Source::payments, {1, 2, 3});
  for (auto& value : payments->raw_value) value = "0123456789";
  m.merge.push(Source::payments, std::move(payments), m.now);
  EXPECT_EQ(m.merge.queued_bytes(Source::payments), 30U);
  m.take(1);
  EXPECT_EQ(m.merge.queued(Source::payments), 2U);
  EXPECT_EQ(m.merge.queued_bytes(Source::payments), 20U);
  m.merge.forget();
  EXPECT_EQ(m.merge.queued_bytes(Source::payments), 0U);
}

TEST(Merge, ARecordedOrderIsRepeatedWhateverTheTimesSay) {
  Merged m;
  m.push(Source::payments, {1, 2, 3});
  m.push(Source::invoices, {1});
  EXPECT_EQ(m.merge.take_recorded(m.out, Source::payments, 3, {}), 3U);
  EXPECT_EQ(m.merge.take_recorded(m.out, Source::invoices, 1, {}), 1U);
  EXPECT_EQ(m.order(), "p0 p1 p2 i0 ");
}

}  // namespace
}  // namespace tidemark
