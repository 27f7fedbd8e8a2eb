// The group member against a real broker: what is delivered, where partitions end, who owns them.
#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <set>

#include "kernels/base/failure.hpp"
#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

SourceOffsets from_beginning() {
  SourceOffsets offsets;
  offsets.fill(offset_none);
  return offsets;
}

std::vector<PlainRecord> numbered(int from, int to, int partition) {
  std::vector<PlainRecord> records;
  for (int i = from; i < to; ++i) {
    records.push_back({"k", std::to_string(i), partition, -1, {}});
  }
  return records;
}

/// A member that remembers what it was told, and serves rebalances as the engine would.
struct Member {
  explicit Member(const KafkaSettings& settings) : consumer(settings) {
    if (settings.assignment != Assignment::manual) consumer.subscribe();
  }

  void poll(int timeout_ms = 20) {
    GroupConsumer::Polled polled = consumer.poll(1000, timeout_ms);
    for (const RawRecord& r : polled.records->records) {
      seen[{r.source, r.partition}].emplace_back(r.value);
      offsets[{r.source, r.partition}].push_back(r.offset);
    }
    for (const EndOfPartition& end : polled.ends) ends[{end.source, end.partition}] = end.offset;
    if (!polled.revoked.empty()) {
      lost = polled.lost;
      ++revocations;
      consumer.unassign(polled.revoked);
      for (const int p : polled.revoked) std::erase(partitions, p);
    }
    partitions.insert(partitions.end(), polled.assigned.begin(), polled.assigned.end());
    batches.push_back(std::move(polled.records));
  }

  bool until(const std::function<bool()>& holds) {
    return poll_until([this] { poll(); }, holds);
  }
  bool assigned() {
    return until([this] { return !partitions.empty(); });
  }

  GroupConsumer consumer;
  std::vector<int> partitions;
  int revocations = 0;
  bool lost = false;
  std::map<std::pair<Source, int>, std::vector<std::string>> seen;
  std::map<std::pair<Source, int>, std::vector<std::int64_t>> offsets;
  std::map<std::pair<Source, int>, std::int64_t> ends;
  std::vector<std::shared_ptr<RawBatch>> batches;
};

const std::pair<Source, int> payments0{Source::payments, 0};

TEST(BrokerConsumer, NothingBeforeStartThenEverythingInOrderAndTheEnds) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("order", 2);
  write_plain(settings.input(Source::payments), numbered(0, 2500, 0));
  write_plain(settings.input(Source::invoices), {{"k", "invoice", 0, -1, {}}});
  write_plain(settings.input(Source::payments), {{"k", "other", 1, -1, {}}});
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  EXPECT_EQ(member.partitions, (std::vector<int>{0, 1}));
  for (int i = 0; i < 20; ++i) member.poll();
  EXPECT_TRUE(member.seen.empty());
  EXPECT_TRUE(member.ends.empty());
  member.consumer.start(0, from_beginning());
  ASSERT_TRUE(member.until([&] { return member.ends.size() == 5; }));
  ASSERT_EQ(member.seen[payments0].size(), 2500U);
  for (int i = 0; i < 2500; ++i) {
    EXPECT_EQ(member.seen[payments0][static_cast<std::size_t>(i)], std::to_string(i));
    EXPECT_EQ(member.offsets[payments0][static_cast<std::size_t>(i)], i);
  }
  EXPECT_EQ(member.seen.count({Source::payments, 1}), 0U);
  EXPECT_EQ(member.ends[payments0], 2500);
  EXPECT_EQ((member.ends[{Source::invoices, 0}]), 1);
  EXPECT_EQ((member.ends[{Source::feedback, 0}]), 0);
  // The second partition starts later; the first goes on where it was.
  member.consumer.start(1, from_beginning());
  write_plain(settings.input(Source::payments), numbered(2500, 2510, 0));
  ASSERT_TRUE(member.until([&] { return member.ends[payments0] == 2510; }));
  ASSERT_TRUE(member.until([&] { return member.ends.count({Source::payments, 1}) == 1; }));
  EXPECT_EQ(member.seen[payments0].size(), 2510U);
  EXPECT_EQ((member.seen[{Source::payments, 1}].size()), 1U);
}

TEST(BrokerConsumer, RecordsKeepTheirBytesNullsAndPadding) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("bytes", 1);
  const std::string large(3 << 20, 'z');
  write_plain(settings.input(Source::payments), {{"key", "value", 0, -1, {}},
                                                 {std::nullopt, "no key", 0, -1, {}},
                                                 {"", "", 0, -1, {}},
                                                 {"tomb", std::nullopt, 0, -1, {}},
                                                 {"large", large, 0, -1, {}}});
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  member.consumer.start(0, from_beginning());
  ASSERT_TRUE(member.until([&] { return member.ends.size() == 5; }));
  std::vector<RawRecord> records;
  for (const auto& batch : member.batches) {
    records.insert(records.end(), batch->records.begin(), batch->records.end());
  }
  ASSERT_EQ(records.size(), 5U);
  EXPECT_EQ(records[0].key, "key");
  EXPECT_EQ(records[0].value, "value");
  EXPECT_TRUE(records[0].has_key);
  EXPECT_GT(records[0].kafka_time_ms, 1'500'000'000'000);
  EXPECT_EQ(records[1].key.data(), nullptr);
  EXPECT_NE(records[2].key.data(), nullptr);
  EXPECT_NE(records[2].value.data(), nullptr);
  EXPECT_EQ(records[2].value.size(), 0U);
  EXPECT_EQ(records[3].value.data(), nullptr);
  EXPECT_TRUE(records[4].value == large);
  for (const RawRecord& r : records) {
    if (r.value.data() == nullptr) continue;
    for (std::size_t i = 0; i < raw_padding_bytes; ++i) {
      EXPECT_EQ(r.value.data()[r.value.size() + i], 0);
    }
  }
}

TEST(BrokerConsumer, EndsAreLastStableOffsetsBehindTheMarkers) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("stable", 1);
  const std::string& topic = settings.input(Source::payments);
  UpstreamTransaction committed("up-1", topic, numbered(0, 3, 0));
  committed.commit();  // offsets 0 to 2, marker 3
  UpstreamTransaction aborted("up-2", topic, numbered(3, 5, 0));
  aborted.abort();  // offsets 4 and 5, marker 6
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  member.consumer.start(0, from_beginning());
  ASSERT_TRUE(member.until([&] { return member.ends[payments0] == 7; }));
  EXPECT_EQ(member.seen[payments0], (std::vector<std::string>{"0", "1", "2"}));
  {
    UpstreamTransaction open("up-3", topic, numbered(5, 6, 0));  // offset 7
    write_plain(topic, numbered(6, 8, 0));                       // offsets 8 and 9, hidden by it
    for (int i = 0; i < 20; ++i) member.poll();
    EXPECT_EQ(member.seen[payments0].size(), 3U);
    EXPECT_EQ(member.ends[payments0], 7);
    open.commit();  // marker 10
  }
  ASSERT_TRUE(member.until([&] { return member.ends[payments0] == 11; }));
  EXPECT_EQ(member.seen[payments0], (std::vector<std::string>{"0", "1", "2", "5", "6", "7"}));
}

TEST(BrokerConsumer, OffsetsTravelInTheTransaction) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("offsets", 1);
  write_plain(settings.input(Source::payments), numbered(0, 10, 0));
  TransactionalSink sink(settings);
  sink.init();
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  EXPECT_EQ(member.consumer.committed(0), from_beginning());
  member.consumer.start(0, from_beginning());
  ASSERT_TRUE(member.until([&] { return member.ends.size() == 5; }));
  sink.produce(output(OutputTopic::verdicts, "k", "v"));
  const InputPosition first{Source::payments, 0, 4};
  ASSERT_TRUE(sink.commit({&first, 1}, member.consumer).committed());
  EXPECT_EQ(member.consumer.committed(Source::payments, 0), 4);
  EXPECT_EQ(member.consumer.committed(Source::invoices, 0), offset_none);
  sink.produce(output(OutputTopic::verdicts, "k", "w"));
  sink.abort("a test");
  EXPECT_EQ(member.consumer.committed(Source::payments, 0), 4);
  // Positions alone are a transaction too.
  const InputPosition second{Source::payments, 0, 10};
  ASSERT_TRUE(sink.commit({&second, 1}, member.consumer).committed());
  EXPECT_EQ(member.consumer.committed(Source::payments, 0), 10);
  EXPECT_THROW((sink.commit(std::vector<InputPosition>{{Source::control, 0, 1}}, member.consumer)),
               std::logic_error);
}

TEST(BrokerConsumer, StartRewinds) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("rewind", 1);
  write_plain(settings.input(Source::payments), numbered(0, 1000, 0));
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  member.consumer.start(0, from_beginning());
  ASSERT_TRUE(member.until([&] { return !member.seen[payments0].empty(); }));
  SourceOffsets back = from_beginning();
  back[0] = 400;
  member.consumer.start(0, back);
  member.seen.clear();
  member.offsets.clear();
  member.ends.clear();
  ASSERT_TRUE(member.until([&] { return member.ends.size() == 5; }));
  ASSERT_EQ(member.seen[payments0].size(), 600U);
  EXPECT_EQ(member.offsets[payments0].front(), 400);
  EXPECT_EQ(member.offsets[payments0].back(), 999);
}

TEST(BrokerConsumer, StartingOnePartitionKeepsThePlaceOfAnother) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("beside", 2);
  write_plain(settings.input(Source::payments), numbered(0, 5000, 0));
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  member.consumer.start(0, from_beginning());
  ASSERT_TRUE(member.until([&] { return !member.seen[payments0].empty(); }));
  ASSERT_EQ(member.ends.count(payments0), 0U) << "the first poll was to leave a rest";
  member.consumer.start(1, from_beginning());
  ASSERT_TRUE(member.until([&] { return member.ends.size() == 10; }));
  ASSERT_EQ(member.offsets[payments0].size(), 5000U);
  for (std::int64_t i = 0; i < 5000; ++i) {
    EXPECT_EQ(member.offsets[payments0][static_cast<std::size_t>(i)], i);
  }
}

TEST(BrokerConsumer, PausedPartitionsWaitWithoutLoss) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("pause", 1);
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  member.consumer.start(0, from_beginning());
  member.consumer.pause(Source::payments, 0);
  write_plain(settings.input(Source::payments), numbered(0, 50, 0));
  write_plain(settings.input(Source::invoices), numbered(0, 5, 0));
  ASSERT_TRUE(member.until([&] { return member.seen[{Source::invoices, 0}].size() == 5; }));
  for (int i = 0; i < 10; ++i) member.poll();
  EXPECT_TRUE(member.seen[payments0].empty());
  member.consumer.resume(Source::payments, 0);
  ASSERT_TRUE(member.until([&] { return member.seen[payments0].size() == 50; }));
  member.consumer.pause(Source::payments, 0);
  write_plain(settings.input(Source::payments), numbered(50, 60, 0));
  for (int i = 0; i < 20; ++i) member.poll();
  EXPECT_EQ(member.seen[payments0].size(), 50U);
  member.ends.clear();
  member.consumer.resume(Source::payments, 0);
  ASSERT_TRUE(member.until([&] { return member.ends[payments0] == 60; }));
  ASSERT_EQ(member.seen[payments0].size(), 60U);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(member.offsets[payments0][static_cast<std::size_t>(i)], i);
}

TEST(BrokerConsumer, AStartEndsAPause) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("pause-start", 1);
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  member.consumer.start(0, from_beginning());
  write_plain(settings.input(Source::payments), numbered(0, 50, 0));
  ASSERT_TRUE(member.until([&] { return member.seen[payments0].size() == 50; }));
  member.consumer.pause(Source::payments, 0);
  member.poll();
  member.consumer.start(0, from_beginning());
  ASSERT_TRUE(member.until([&] { return member.seen[payments0].size() == 100; }));
}

TEST(BrokerConsumer, TwoMembersShareAndTheSourcesOfAPartitionStayTogether) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("share", 4);
  for (const Source source : keyed_sources) {
    for (int p = 0; p < 4; ++p) write_plain(settings.input(source), numbered(0, 3, p));
  }
  Member first(settings);
  ASSERT_TRUE(first.assigned());
  EXPECT_EQ(first.partitions.size(), 4U);
  KafkaSettings other = settings;
  other.transactional_id += "-other";
  Member second(other);
  ASSERT_TRUE(poll_until(
      [&] {
        first.poll(10);
        second.poll(10);
      },
      [&] { return first.partitions.size() == 2 && second.partitions.size() == 2; }));
  EXPECT_GE(first.revocations, 1);
  EXPECT_FALSE(first.lost);
  for (Member* member : {&first, &second}) {
    for (const int p : member->partitions) member->consumer.start(p, from_beginning());
    ASSERT_TRUE(member->until([&] { return member->ends.size() == 10; }));
    EXPECT_EQ(member->seen.size(), 10U);
  }
  std::set<int> all(first.partitions.begin(), first.partitions.end());
  all.insert(second.partitions.begin(), second.partitions.end());
  EXPECT_EQ(all.size(), 4U);
}

TEST(BrokerConsumer, ANewMemberDoesNotDisturbWhatStays) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("undisturbed", 4);
  for (int p = 0; p < 4; ++p) {
    write_plain(settings.input(Source::payments), numbered(0, 100, p));
    write_plain(settings.input(Source::signals), numbered(0, 10, p));
  }
  Member first(settings);
  ASSERT_TRUE(first.assigned());
  for (const int p : first.partitions) first.consumer.start(p, from_beginning());
  ASSERT_TRUE(first.until([&] { return first.ends.size() == 20; }));
  KafkaSettings other = settings;
  other.transactional_id += "-other";
  Member second(other);
  ASSERT_TRUE(poll_until(
      [&] {
        first.poll(10);
        second.poll(10);
      },
      [&] { return first.partitions.size() == 2 && second.partitions.size() == 2; }));
  EXPECT_EQ(first.revocations, 1);
  for (int p = 0; p < 4; ++p) {
    write_plain(settings.input(Source::payments), numbered(100, 110, p));
    write_plain(settings.input(Source::signals), numbered(10, 15, p));
  }
  // What stayed was never started again, and nothing of it comes twice.
  const auto got = [&](int p) {
    return first.seen[{Source::payments, p}].size() + first.seen[{Source::signals, p}].size();
  };
  ASSERT_TRUE(first.until(
      [&] { return got(first.partitions[0]) == 125 && got(first.partitions[1]) == 125; }));
  for (int i = 0; i < 20; ++i) first.poll();
  EXPECT_EQ(got(0) + got(1) + got(2) + got(3), 2U * 125 + 2U * 110);
}

TEST(BrokerConsumer, MembersOfTheNewProtocolShareToo) {
  BROKER_OR_SKIP();
  KafkaSettings settings = made_settings("newer", 4);
  settings.assignment = Assignment::consumer;
  for (int p = 0; p < 4; ++p) write_plain(settings.input(Source::payments), numbered(0, 20, p));
  Member first(settings);
  ASSERT_TRUE(first.assigned());
  ASSERT_TRUE(first.until([&] { return first.partitions.size() == 4; }));
  for (const int p : first.partitions) first.consumer.start(p, from_beginning());
  ASSERT_TRUE(first.until([&] { return first.ends.size() == 20; }));
  TransactionalSink sink(settings);
  sink.init();
  sink.produce(output(OutputTopic::verdicts, "k", "v"));
  const InputPosition position{Source::payments, 3, 20};
  ASSERT_TRUE(sink.commit({&position, 1}, first.consumer).committed());
  KafkaSettings other = settings;
  other.transactional_id += "-other";
  Member second(other);
  ASSERT_TRUE(poll_until(
      [&] {
        first.poll(10);
        second.poll(10);
      },
      [&] { return first.partitions.size() == 2 && second.partitions.size() == 2; }));
  EXPECT_EQ(second.consumer.committed(Source::payments, 3), 20);
  EXPECT_FALSE(first.lost);
}

TEST(BrokerConsumer, WhatIsTakenByHandNeedsNoGroup) {
  BROKER_OR_SKIP();
  KafkaSettings settings = made_settings("by-hand", 4);
  settings.assignment = Assignment::manual;
  for (int p = 0; p < 4; ++p) write_plain(settings.input(Source::payments), numbered(0, 20, p));
  TransactionalSink sink(settings);
  sink.init();
  {
    Member member(settings);
    member.consumer.take({1, 3});
    ASSERT_TRUE(member.assigned());
    EXPECT_EQ(member.partitions, (std::vector<int>{1, 3}));
    for (const int p : member.partitions) member.consumer.start(p, from_beginning());
    ASSERT_TRUE(member.until([&] { return member.ends.size() == 10; }));
    EXPECT_EQ(member.seen.size(), 2U);
    sink.produce(output(OutputTopic::verdicts, "k", "v"));
    const InputPosition position{Source::payments, 3, 7};
    ASSERT_TRUE(sink.commit({&position, 1}, member.consumer).committed());
  }
  Member again(settings);
  again.consumer.take({3});
  EXPECT_EQ(again.consumer.committed(Source::payments, 3), 7);
  // Whoever has the same transactional id last has it alone.
  TransactionalSink later(settings);
  later.init();
  sink.produce(output(OutputTopic::verdicts, "k", "w"));
  const InputPosition position{Source::payments, 3, 8};
  EXPECT_THAT(([&] {
                sink.commit({&position, 1}, again.consumer);
              }),
              ThrowsMessage<RunError>(HasSubstr("fenced: another instance uses transactional id")));
  EXPECT_EQ(again.consumer.committed(Source::payments, 3), 7);
}

TEST(BrokerConsumer, AMemberThatComesBackInTimeKeepsItsPartitions) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("static", 2);
  {
    Member member(settings);
    ASSERT_TRUE(member.assigned());
  }
  Member again(settings);
  const auto from = std::chrono::steady_clock::now();
  ASSERT_TRUE(again.assigned());
  // Well within the session timeout of 6 s: the broker knew the instance.
  EXPECT_LT(std::chrono::steady_clock::now() - from, std::chrono::seconds(5));
}

TEST(BrokerConsumer, TheSameInstanceIdTwiceFencesTheFirst) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("twice", 1);
  Member first(settings);
  ASSERT_TRUE(first.assigned());
  Member second(settings);
  EXPECT_THAT(
      [&] {
        for (int i = 0; i < 500; ++i) {
          second.poll(10);
          first.poll(10);
        }
      },
      ThrowsMessage<RunError>(HasSubstr("fenced: another instance uses group.instance.id "
                                        "'twice-0'")));
}

TEST(BrokerConsumer, ALogThatNoLongerReachesBackIsAnError) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("short", 1);
  const std::string& topic = settings.input(Source::payments);
  write_plain(topic, numbered(0, 10, 0));
  delete_before(topic, 0, 5);
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  SourceOffsets offsets = from_beginning();
  offsets[0] = 2;
  member.consumer.start(0, offsets);
  EXPECT_THAT([&] { member.until([&] { return !member.seen[payments0].empty(); }); },
              ThrowsMessage<RunError>(HasSubstr("short.payments [0]: the log no longer has")));
}

}  // namespace
}  // namespace tidemark::testing
