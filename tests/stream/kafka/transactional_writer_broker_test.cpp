// The writer against a real broker: all of a transaction or nothing, offsets as they came to be,
// and the one who took the id last.
#include "stream/kafka/transactional_writer.hpp"

#include <gmock/gmock.h>

#include "kernels/base/failure.hpp"
#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

RecordToWrite record(std::string_view topic, std::string_view value, int partition = 0) {
  return {.topic = topic, .partition = partition, .key = "k", .value = value};
}

TEST(BrokerTransactionalWriter, WritesAllOfATransactionOrNothing) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("writer", 2);
  const std::string& topic = settings.input(Source::payments);
  {
    TransactionalWriter writer(settings, "writer-all");
    writer.init();
    writer.begin();
    RecordToWrite first = record(topic, "one");
    first.headers = {{"from", "here"}, {"empty", ""}};
    writer.send(first);
    writer.send(record(topic, "other", 1));
    writer.send({.topic = topic, .partition = 0, .key = "", .value = std::nullopt});
    EXPECT_EQ(writer.flush(), (std::vector<std::int64_t>{0, 0, 1}));
    EXPECT_TRUE(read_plain(topic, 0).empty());
    writer.send(record(settings.redriven_topic, "mark"));
    EXPECT_EQ(writer.flush(), (std::vector<std::int64_t>{0}));
    writer.commit();
    writer.begin();
    writer.send(record(topic, "never"));
    EXPECT_EQ(writer.flush(), (std::vector<std::int64_t>{3}));  // behind the commit's marker
  }
  // What was open when the writer went is aborted at once: nobody waits for its time to run out.
  const auto seen = read_plain(topic, 0);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].value, "one");
  EXPECT_EQ(seen[0].headers, (std::map<std::string, std::string>{{"from", "here"}, {"empty", ""}}));
  EXPECT_EQ(seen[1].key, "");
  EXPECT_EQ(seen[1].value, std::nullopt);
  ReaderClient client(settings);
  EXPECT_EQ(client.bounds(topic, 0).stable_end, client.end(topic, 0));
  EXPECT_EQ(read_plain(settings.redriven_topic, 0).size(), 1U);
}

TEST(BrokerTransactionalWriter, TheLastOneToTakeTheIdFencesTheOthers) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("rivals", 1);
  const std::string& topic = settings.input(Source::payments);
  TransactionalWriter first(settings, "rivals-redrive");
  first.init();
  first.begin();
  first.send(record(topic, "of the first"));
  first.flush();
  TransactionalWriter second(settings, "rivals-redrive");
  second.init();
  // Nothing of the first is open any more, and it can bring nothing to an end.
  EXPECT_THAT([&] { first.commit(); },
              ThrowsMessage<RunError>(AllOf(HasSubstr("fenced"), HasSubstr("rivals-redrive"))));
  second.begin();
  second.send(record(topic, "of the second"));
  second.flush();
  second.commit();
  const auto seen = read_plain(topic, 0);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].value, "of the second");
}

TEST(BrokerTransactionalWriter, AFenceIsNamedWhereARecordMeetsIt) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("met", 1);
  TransactionalWriter first(settings, "met-redrive"), second(settings, "met-redrive");
  first.init();
  second.init();
  first.begin();
  first.send(record(settings.input(Source::payments), "late"));
  EXPECT_THAT([&] { first.flush(); }, ThrowsMessage<RunError>(HasSubstr("fenced")));
}

TEST(BrokerTransactionalWriter, ARecordThatCannotBeSentIsNamed) {
  BROKER_OR_SKIP();
  KafkaSettings settings = made_settings("large", 1);
  settings.client["message.max.bytes"] = "2000";
  const std::string& topic = settings.input(Source::payments);
  TransactionalWriter writer(settings, "large-redrive");
  writer.init();
  writer.begin();
  writer.send(record(topic, "small"));
  EXPECT_THAT([&] { writer.send(record(topic, std::string(3000, 'x'))); },
              ThrowsMessage<RunError>(AllOf(HasSubstr("large.payments: "), HasSubstr("too large"),
                                            HasSubstr("nothing of it is visible"))));
}

}  // namespace
}  // namespace tidemark::testing
