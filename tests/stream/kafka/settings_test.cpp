// Properties that are given to librdkafka: refused ones name their setting, pinned ones stay.
#include "stream/kafka/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <array>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/consumer.hpp"
#include "stream/kafka/reader.hpp"
#include "stream/kafka/transaction.hpp"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

KafkaSettings with(const std::string& name, const std::string& value) {
  KafkaSettings settings;
  settings.bootstrap_servers = "127.0.0.1:1";
  settings.group_id = "group";
  settings.transactional_id = "instance-0";
  settings.client[name] = value;
  return settings;
}

TEST(KafkaSettings, AnUnknownPropertyIsNamed) {
  const KafkaSettings settings = with("no.such.property", "1");
  const auto says = HasSubstr("kafka.client.no.such.property: No such configuration property");
  EXPECT_THAT([&] { TransactionalSink sink(settings); }, ThrowsMessage<UsageError>(says));
  EXPECT_THAT([&] { GroupConsumer consumer(settings); }, ThrowsMessage<UsageError>(says));
  EXPECT_THAT([&] { ReaderClient client(settings); }, ThrowsMessage<UsageError>(says));
}

TEST(KafkaSettings, AnImpossibleValueIsNamedOnEveryClient) {
  const KafkaSettings settings = with("transaction.timeout.ms", "soon");
  const auto says = HasSubstr("kafka.client.transaction.timeout.ms: Invalid value");
  EXPECT_THAT([&] { TransactionalSink sink(settings); }, ThrowsMessage<UsageError>(says));
  EXPECT_THAT([&] { ReaderClient client(settings); }, ThrowsMessage<UsageError>(says));
}

TEST(KafkaSettings, WhatThePromisesRestOnCannotBeChanged) {
  const std::map<std::string, std::string> changes = {
      {"enable.auto.commit", "true"},
      {"isolation.level", "read_uncommitted"},
      {"partitioner", "consistent_random"},
      {"partition.assignment.strategy", "cooperative-sticky"}};
  for (const auto& [name, value] : changes) {
    const KafkaSettings settings = with(name, value);
    EXPECT_THAT([&] { ReaderClient client(settings); },
                ThrowsMessage<UsageError>(HasSubstr("kafka.client." + name + ": must stay")));
  }
  EXPECT_NO_THROW(ReaderClient(with("isolation.level", "read_committed")));
  EXPECT_THAT([] { ReaderClient client(with("group.id", "another")); },
              ThrowsMessage<UsageError>(HasSubstr("set kafka.group_id instead")));
  EXPECT_THAT([] { ReaderClient client(with("group.instance.id", "another")); },
              ThrowsMessage<UsageError>(HasSubstr("set kafka.transactional_id instead")));
}

TEST(KafkaSettings, TheTransactionalIdIsOursWhateverTheDelivery) {
  for (const Delivery delivery : {Delivery::exactly_once, Delivery::at_least_once}) {
    KafkaSettings settings = with("transactional.id", "another");
    settings.delivery = delivery;
    const auto says = HasSubstr("kafka.client.transactional.id: set kafka.transactional_id");
    EXPECT_THAT([&] { make_sink(settings); }, ThrowsMessage<UsageError>(says));
    EXPECT_THAT([&] { ReaderClient client(settings); }, ThrowsMessage<UsageError>(says));
    settings.client["transactional.id"] = settings.transactional_id;
    EXPECT_NO_THROW(make_sink(settings));
  }
  // One that says the same makes no transactions where there are none.
  kafka::ClientWatch watch;
  KafkaSettings settings = with("transactional.id", "instance-0");
  settings.delivery = Delivery::at_least_once;
  const auto conf = kafka::make_conf(settings, kafka::ClientKind::producer, watch);
  std::array<char, 64> value{};
  std::size_t size = value.size();
  rd_kafka_conf_get(conf.get(), "transactional.id", value.data(), &size);
  EXPECT_STREQ(value.data(), "");
}

TEST(KafkaSettings, PropertiesOfOneKindOfClientSuitAll) {
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"linger.ms", "1"},
                                          {"transaction.timeout.ms", "15000"},
                                          {"session.timeout.ms", "10000"},
                                          {"compression.codec", "zstd"},
                                          {"queued.min.messages", "10"}}) {
    const KafkaSettings settings = with(name, value);
    EXPECT_NO_THROW(TransactionalSink{settings}) << name;
    EXPECT_NO_THROW(GroupConsumer{settings}) << name;
    EXPECT_NO_THROW(ReaderClient{settings}) << name;
  }
}

TEST(KafkaSettings, EmptyNamesAreUsageErrors) {
  KafkaSettings settings = with("linger.ms", "1");
  settings.transactional_id.clear();
  EXPECT_THAT([&] { TransactionalSink sink(settings); },
              ThrowsMessage<UsageError>("kafka.transactional_id is empty"));
  settings.group_id.clear();
  EXPECT_THAT([&] { GroupConsumer consumer(settings); },
              ThrowsMessage<UsageError>("kafka.group_id is empty"));
}

}  // namespace
}  // namespace tidemark
