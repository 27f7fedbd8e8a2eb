// The sink against a real broker: what readers see of committed, aborted and open transactions.
#include <gmock/gmock.h>

#include <set>

#include "kernels/base/failure.hpp"
#include "stream/kafka/partitioner.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<std::string> values(const std::vector<PlainRecord>& records) {
  std::vector<std::string> all;
  for (const PlainRecord& r : records) all.push_back(r.value.value_or("null"));
  return all;
}

TEST(BrokerSink, CommittedOnceAbortedNeverOpenNotYet) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("visible", 1);
  const std::string& topic = settings.output(OutputTopic::verdicts);
  GroupConsumer consumer(settings);
  TransactionalSink sink(settings);
  sink.init();
  EXPECT_TRUE(sink.commit({}, consumer).committed());  // nothing to say, nothing begun
  sink.produce(output(OutputTopic::verdicts, "a", "one"));
  sink.produce(output(OutputTopic::verdicts, "a", "two"));
  EXPECT_EQ(sink.records_in_transaction(), 2U);
  EXPECT_EQ(sink.bytes_in_transaction(), 8U);
  EXPECT_TRUE(read_plain(topic, 0).empty());
  ASSERT_TRUE(sink.commit({}, consumer).committed());
  EXPECT_EQ(sink.records_in_transaction(), 0U);
  sink.produce(output(OutputTopic::verdicts, "a", "never"));
  sink.abort("a test");
  sink.produce(output(OutputTopic::verdicts, "a", "three"));
  EXPECT_EQ(values(read_plain(topic, 0)), (std::vector<std::string>{"one", "two"}));
  ASSERT_TRUE(sink.commit({}, consumer).committed());
  EXPECT_EQ(values(read_plain(topic, 0)), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(sink.counters().commits, 2U);
  EXPECT_EQ(sink.counters().aborts, 1U);
  EXPECT_EQ(sink.counters().recycles, 0U);  // a healthy abort needs no new producer
}

TEST(BrokerSink, LettersCarryTheirCoordinatesAndOriginalBytes) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("letters", 2);
  GroupConsumer consumer(settings);
  TransactionalSink sink(settings);
  sink.init();
  OutputBatch letter = output(OutputTopic::dead_letter, std::nullopt, std::string("\0\xff{", 3), 1);
  letter.records[0].letter = 0;
  letter.letters.push_back({"invalid_json", "value: not JSON", Source::invoices, 7, 1234567890123});
  sink.produce(letter);
  OutputBatch empty = output(OutputTopic::dead_letter, "", "", 1);
  empty.records[0].letter = 0;
  empty.letters.push_back({"empty_value", "value", Source::payments, 0, 0});
  sink.produce(empty);
  ASSERT_TRUE(sink.commit({}, consumer).committed());
  const auto records = read_plain(settings.output(OutputTopic::dead_letter), 1);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_FALSE(records[0].key);
  EXPECT_EQ(records[0].value, std::string("\0\xff{", 3));
  const std::map<std::string, std::string> expected = {{"error", "invalid_json"},
                                                       {"message", "value: not JSON"},
                                                       {"topic", "letters.invoices"},
                                                       {"partition", "7"},
                                                       {"offset", "1234567890123"}};
  EXPECT_EQ(records[0].headers, expected);
  EXPECT_EQ(records[1].key, "");
  EXPECT_EQ(records[1].value, "");
}

TEST(BrokerSink, TombstonesAreNulls) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("tombstone", 1);
  GroupConsumer consumer(settings);
  TransactionalSink sink(settings);
  sink.init();
  sink.produce(output(OutputTopic::limits, "t-1", std::nullopt));
  ASSERT_TRUE(sink.commit({}, consumer).committed());
  const auto records = read_plain(settings.output(OutputTopic::limits), 0);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].key, "t-1");
  EXPECT_FALSE(records[0].value);
}

TEST(BrokerSink, KeysGoWhereJavaClientsPutThem) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("partition", 5);
  GroupConsumer consumer(settings);
  TransactionalSink sink(settings);
  sink.init();
  for (int i = 0; i < 200; ++i) {
    sink.produce(output(OutputTopic::verdicts, "merchant-" + std::to_string(i * 7919), "v"));
  }
  ASSERT_TRUE(sink.commit({}, consumer).committed());
  const auto records = read_all(settings.output(OutputTopic::verdicts), 5);
  ASSERT_EQ(records.size(), 200U);
  std::set<int> used;
  for (const PlainRecord& r : records) {
    EXPECT_EQ(r.partition, partition_of(*r.key, 5)) << *r.key;
    used.insert(r.partition);
  }
  EXPECT_EQ(used.size(), 5U);
}

TEST(BrokerSink, LettersOfTenMegabytesPass) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("large", 1);
  GroupConsumer consumer(settings);
  TransactionalSink sink(settings);
  sink.init();
  std::string large(10 << 20, 'x');
  for (std::size_t i = 0; i < large.size(); i += 97) large[i] = static_cast<char>('a' + i % 26);
  OutputBatch batch = output(OutputTopic::dead_letter, "k", large);
  batch.records[0].letter = 0;
  batch.letters.push_back({"oversized", "value", Source::payments, 0, 0});
  sink.produce(batch);
  sink.produce(output(OutputTopic::verdicts, "k", "small"));
  ASSERT_TRUE(sink.commit({}, consumer).committed());
  const auto records = read_plain(settings.output(OutputTopic::dead_letter), 0);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_TRUE(records[0].value == large);
}

TEST(BrokerSink, ARefusedRecordEndsTheRunInsteadOfBeingTriedForEver) {
  BROKER_OR_SKIP();
  KafkaSettings settings = made_settings("refused", 1);
  GroupConsumer consumer(settings);
  TransactionalSink sink(settings);
  sink.init();
  // The journal's limit is 16 MiB at the broker, not at the client.
  std::string incompressible(20 << 20, 'x');
  std::uint64_t state = 1;
  for (char& c : incompressible) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    c = static_cast<char>(state >> 56);
  }
  sink.produce(output(OutputTopic::journal, std::nullopt, incompressible, 0));
  EXPECT_THAT([&] { sink.commit({}, consumer); },
              ThrowsMessage<RunError>(HasSubstr("refused.journal: a record of 20971520 bytes")));
  std::string over(65 << 20, 'x');
  EXPECT_THAT([&] { sink.produce(output(OutputTopic::verdicts, "k", over)); },
              ThrowsMessage<RunError>(HasSubstr("message.max.bytes")));
}

TEST(BrokerSink, ATransactionLeftByADeadInstanceEndsWithTheNextInit) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("dead", 1);
  const std::string& topic = settings.output(OutputTopic::verdicts);
  GroupConsumer consumer(settings);
  UpstreamTransaction left(settings.transactional_id, topic, {{"a", "left behind", 0, -1, {}}});
  write_plain(topic, {{"a", "behind the open transaction", 0, -1, {}}});
  EXPECT_TRUE(read_plain(topic, 0).empty());
  TransactionalSink sink(settings);
  sink.init();
  EXPECT_TRUE(poll_until([] {}, [&] { return read_plain(topic, 0).size() == 1; }));
}

}  // namespace
}  // namespace tidemark::testing
