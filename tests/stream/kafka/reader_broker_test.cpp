// Readers outside the group, and the journal through them.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "kernels/base/failure.hpp"
#include "stream/kafka/journal.hpp"
#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<PlainRecord> numbered(int from, int to) {
  std::vector<PlainRecord> records;
  for (int i = from; i < to; ++i) records.push_back({"k", std::to_string(i), 0, -1, {}});
  return records;
}

std::vector<std::string> rest_of(PlainReader& reader, std::size_t at_once = 100) {
  std::vector<std::string> all;
  poll_until(
      [&] {
        const auto batch = reader.read(at_once, 50);
        EXPECT_LE(batch->records.size(), at_once);
        for (const RawRecord& r : batch->records) all.emplace_back(r.value);
      },
      [&] { return reader.done(); });
  EXPECT_TRUE(reader.done());
  return all;
}

TEST(BrokerReader, ReadsARangeAndNoMore) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("range", 1);
  const std::string& topic = settings.input(Source::payments);
  write_plain(topic, numbered(0, 1000));
  ReaderClient client(settings);
  EXPECT_EQ(client.bounds(topic, 0).begin, 0);
  EXPECT_EQ(client.bounds(topic, 0).stable_end, 1000);
  {
    PlainReader reader(client, {topic, 0, 10, 17, Source::payments});
    const auto batch = reader.read(3, 5000);
    ASSERT_EQ(batch->records.size(), 3U);
    EXPECT_EQ(batch->records[0].offset, 10);
    EXPECT_EQ(batch->records[0].source, Source::payments);
    EXPECT_EQ(reader.position(), 13);
    PlainReader beside(client, {topic, 0, 0, 5, Source::payments});
    EXPECT_EQ(rest_of(beside).size(), 5U);
    EXPECT_EQ(rest_of(reader), (std::vector<std::string>{"13", "14", "15", "16"}));
    EXPECT_TRUE(reader.read(3, 5000)->records.empty());
  }
  PlainReader all(client, {topic, 0, log_beginning, log_stable_end, Source::payments});
  EXPECT_EQ(rest_of(all).size(), 1000U);
  PlainReader nothing(settings, {topic, 0, 5, 5, Source::payments});
  EXPECT_TRUE(nothing.done());
}

TEST(BrokerReader, SkipsAbortedRecordsAndEndsBehindMarkers) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("markers", 1);
  const std::string& topic = settings.input(Source::payments);
  UpstreamTransaction first("reader-1", topic, numbered(0, 3));
  first.commit();
  UpstreamTransaction second("reader-2", topic, numbered(3, 5));
  second.abort();
  UpstreamTransaction open("reader-3", topic, numbered(5, 6));
  PlainReader reader(settings, {topic, 0, log_beginning, log_stable_end, Source::payments});
  EXPECT_EQ(rest_of(reader), (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(reader.position(), 7);
  ReaderClient client(settings);
  EXPECT_EQ(client.bounds(topic, 0).stable_end, 7);
  EXPECT_EQ(client.end(topic, 0), 8);
  std::thread later([&open] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    open.commit();
  });
  EXPECT_EQ(client.settled_bounds(topic, 0).stable_end, 9);
  later.join();
  // A range that ends behind a marker does not reach over it.
  PlainReader upto(client, {topic, 0, 0, 4, Source::payments});
  EXPECT_EQ(rest_of(upto), (std::vector<std::string>{"0", "1", "2"}));
  PlainReader over(client, {topic, 0, 2, 7, Source::payments});
  EXPECT_EQ(rest_of(over), (std::vector<std::string>{"2"}));
}

TEST(BrokerReader, FollowsALogThatGrows) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("follow", 1);
  const std::string& topic = settings.input(Source::control);
  PlainReader reader(settings, {topic, 0, log_beginning, log_follow, Source::control});
  ASSERT_TRUE(poll_until([&] { EXPECT_TRUE(reader.read(10, 20)->records.empty()); },
                         [&] { return reader.caught_up(); }));
  write_plain(topic, numbered(0, 2));
  std::size_t got = 0;
  ASSERT_TRUE(poll_until([&] { got += reader.read(10, 20)->records.size(); },
                         [&] { return got == 2 && reader.caught_up(); }));
  EXPECT_FALSE(reader.done());
  EXPECT_EQ(reader.position(), 2);
}

TEST(BrokerReader, SaysWhatTheLogDoesNotHave) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("gone", 1);
  const std::string& topic = settings.input(Source::payments);
  write_plain(topic, numbered(0, 10));
  delete_before(topic, 0, 4);
  ReaderClient client(settings);
  EXPECT_THAT(
      [&] {
        PlainReader(client, {topic, 0, 3, 10, Source::payments});
      },
      ThrowsMessage<RunError>(HasSubstr(
          "gone.payments [0]: the log begins at offset 4 and no longer reaches back to 3")));
  EXPECT_THAT(
      [&] {
        PlainReader(client, {topic, 0, 4, 11, Source::payments});
      },
      ThrowsMessage<RunError>(HasSubstr("the log ends at offset 10, before 11")));
  EXPECT_THAT([&] { client.bounds("no.such.topic", 0); },
              ThrowsMessage<RunError>(HasSubstr("there is no such topic or partition")));
  PlainReader reader(client, {topic, 0, log_beginning, log_stable_end, Source::payments});
  EXPECT_EQ(rest_of(reader).size(), 6U);
}

TEST(BrokerReader, ManyPartitionsThroughOneClient) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("many", 3);
  const std::string& topic = settings.input(Source::payments);
  for (int p = 0; p < 3; ++p) {
    std::vector<PlainRecord> records = numbered(0, 100);
    for (PlainRecord& r : records) r.partition = p;
    write_plain(topic, records);
  }
  ReaderClient client(settings);
  std::vector<PlainReader> readers;
  for (int p = 0; p < 3; ++p) {
    readers.emplace_back(client,
                         ReadRange{topic, p, log_beginning, log_stable_end, Source::payments});
  }
  for (PlainReader& reader : readers) EXPECT_EQ(rest_of(reader, 7).size(), 100U);
}

TEST(BrokerReader, GoesOnBehindAnOutage) {
  BROKER_OR_SKIP();
  KafkaSettings settings = made_settings("outage", 1);
  settings.connect_timeout_s = 2;
  settings.outlast_outages = true;
  const std::string& topic = settings.input(Source::payments);
  write_plain(topic, numbered(0, 1000));
  ReaderClient client(settings);
  PlainReader reader(client, {topic, 0, 0, 1000, Source::payments});
  EXPECT_EQ(client.end(topic, 0), 1000);
  ASSERT_EQ(reader.read(10, 5000)->records.size(), 10U);
  Broker::instance().kill();
  std::jthread later([] {
    std::this_thread::sleep_for(std::chrono::seconds(4));
    Broker::instance().start();
  });
  // The leader has another epoch when it is back, of which this client learns by asking again.
  EXPECT_EQ(client.settled_bounds(topic, 0).stable_end, 1000);
  later.join();
  EXPECT_EQ(rest_of(reader).size(), 990U);
}

TEST(BrokerReader, AnAbsenceIsAnErrorWhereNobodyWaits) {
  BROKER_OR_SKIP();
  KafkaSettings settings = made_settings("absent", 1);
  settings.connect_timeout_s = 1;
  ReaderClient client(settings);
  EXPECT_EQ(client.end(settings.input(Source::payments), 0), 0);
  Broker::instance().kill();
  EXPECT_THAT([&] { client.end(settings.input(Source::payments), 0); },
              ThrowsMessage<RunError>(HasSubstr("answered within 1 s")));
  Broker::instance().start();
}

TEST(BrokerReader, TheJournalComesBackInOrder) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("journal", 2);
  GroupConsumer consumer(settings);
  TransactionalSink sink(settings);
  sink.init();
  for (std::uint64_t i = 0; i < 5; ++i) {
    JournalRecord record;
    record.partition = 1;
    record.state_hash = i;
    sink.produce(output(OutputTopic::journal, std::nullopt, encode_journal(record), 1));
    if (i == 3) {
      sink.abort("a test");
    } else {
      ASSERT_TRUE(sink.commit({}, consumer).committed());
    }
  }
  std::vector<std::uint64_t> hashes;
  const auto take = [&](const JournalRecord& r, std::int64_t) { hashes.push_back(r.state_hash); };
  read_journal(settings, 1, take);
  EXPECT_EQ(hashes, (std::vector<std::uint64_t>{0, 1, 2, 4}));
  read_journal(settings, 0, take);
  EXPECT_EQ(hashes.size(), 4U);
  sink.produce(output(OutputTopic::journal, std::nullopt, "not a journal", 0));
  ASSERT_TRUE(sink.commit({}, consumer).committed());
  EXPECT_THAT(
      [&] { read_journal(settings, 0, take); },
      ThrowsMessage<RunError>(HasSubstr("journal.journal [0] at offset 0: not a journal record")));
}

}  // namespace
}  // namespace tidemark::testing
