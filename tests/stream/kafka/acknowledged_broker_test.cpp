// Delivery at least once against a real broker: the journal before the outputs, the outputs before
// the offsets, and a journal that somebody else writes to.
#include "stream/kafka/acknowledged.hpp"

#include <gmock/gmock.h>

#include "kernels/base/failure.hpp"
#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;

KafkaSettings at_least_once(const std::string& name) {
  KafkaSettings settings = made_settings(name, 1);
  settings.delivery = Delivery::at_least_once;
  return settings;
}

OutputBatch journal(const std::string& value, std::int64_t expected_offset) {
  OutputBatch batch = output(OutputTopic::journal, std::nullopt, value, 0);
  batch.records[0].expected_offset = expected_offset;
  return batch;
}

std::size_t count(const KafkaSettings& settings, OutputTopic topic) {
  return read_plain(settings.output(topic), 0).size();
}

TEST(BrokerAcknowledged, OutputsJournalAndOffsetsArriveWithACommit) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = at_least_once("acked");
  GroupConsumer consumer(settings);
  AcknowledgedSink sink(settings);
  sink.init();
  EXPECT_TRUE(sink.commit({}, consumer).committed());
  sink.produce(output(OutputTopic::verdicts, "a", "one"));
  sink.abort("a test");
  sink.produce(output(OutputTopic::verdicts, "a", "two"));
  sink.produce(journal("j", 0));
  const InputPosition position{Source::payments, 0, 7};
  ASSERT_TRUE(sink.commit({&position, 1}, consumer).committed());
  EXPECT_EQ(count(settings, OutputTopic::journal), 1U);
  const auto verdicts = read_plain(settings.output(OutputTopic::verdicts), 0);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].value, "two");
  EXPECT_EQ(consumer.committed(Source::payments, 0), 7);
  EXPECT_EQ(sink.counters().commits, 1U);
}

TEST(BrokerAcknowledged, AJournalThatAnotherWritesToStopsWhatItOrders) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = at_least_once("overtaken");
  GroupConsumer consumer(settings);
  AcknowledgedSink sink(settings);
  sink.produce(journal("mine", 0));
  ASSERT_TRUE(sink.commit({}, consumer).committed());
  write_plain(settings.output(OutputTopic::journal), {{std::nullopt, "another's", 0, -1, {}}});
  sink.produce(output(OutputTopic::verdicts, "a", "never"));
  sink.produce(journal("mine", 1));
  const InputPosition position{Source::payments, 0, 7};
  const CommitResult result = sink.commit({&position, 1}, consumer);
  EXPECT_FALSE(result.committed());
  EXPECT_THAT(result.reason, HasSubstr("offset 1 was expected and 2 was given"));
  EXPECT_EQ(count(settings, OutputTopic::verdicts), 0U);
  EXPECT_EQ(consumer.committed(Source::payments, 0), offset_none);
  // Once it knows the journal's end it goes on.
  sink.produce(output(OutputTopic::verdicts, "a", "now"));
  sink.produce(journal("mine", 3));
  ASSERT_TRUE(sink.commit({&position, 1}, consumer).committed());
  EXPECT_EQ(count(settings, OutputTopic::verdicts), 1U);
}

}  // namespace
}  // namespace tidemark::testing
