// The group member against a real broker: what is delivered, and where partitions end.
#include <gmock/gmock.h>

#include "kernels/base/failure.hpp"
#include "tests/stream/kafka/member.hpp"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

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
