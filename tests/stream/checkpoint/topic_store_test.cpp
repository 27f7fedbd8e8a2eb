// The topic store on a real broker: the promises of every store, and what is a topic's own: drafts
// that a crash leaves, bytes that are gone or changed, one partition, a topic that is not there.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "kernels/base/byte_codec.hpp"
#include "kernels/base/failure.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "tests/stream/checkpoint/store_conformance.hpp"
#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

/// Settings of a topic of this test's own, made as `topics --create` makes it.
KafkaSettings topic_of(const std::string& name, int bodies = 2) {
  KafkaSettings settings;
  settings.bootstrap_servers = Broker::instance().bootstrap();
  settings.connect_timeout_s = 10;
  settings.checkpoint_topic = name + ".checkpoints";
  create_topics(settings, bodies);
  return settings;
}

std::unique_ptr<CheckpointStore> open(const KafkaSettings& settings) {
  return open_topic_store(settings, settings.checkpoint_topic);
}

void write_one(const KafkaSettings& settings, const std::string& key, const std::string& value,
               int partition) {
  PlainRecord record;
  record.key = key;
  record.value = value;
  record.partition = partition;
  write_plain(settings.checkpoint_topic, {record});
}

TEST(BrokerTopicStore, KeepsObjectsByName) {
  BROKER_OR_SKIP();
  test::keeps_objects_by_name(*open(topic_of("names")));
}

TEST(BrokerTopicStore, IsOneForAll) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = topic_of("shared");
  test::is_one_for_all(*open(settings), *open(settings));
}

TEST(BrokerTopicStore, TakesManyWritersAndReaders) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = topic_of("many");
  test::takes_many_writers_and_readers(*open(settings), *open(settings));
}

TEST(BrokerTopicStore, OnePartitionWillDo) {
  BROKER_OR_SKIP();
  KafkaSettings settings = topic_of("one");
  settings.output_topics[0] = "one.alone";  // any topic of one partition
  create_topics(settings, 1);
  settings.checkpoint_topic = "one.alone";
  test::keeps_objects_by_name(*open(settings));
}

TEST(BrokerTopicStore, ATopicIsMadeSoThatItIsCompacted) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = topic_of("made", 3);
  const auto all = describe_topics(settings, 3);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].partitions, 4);
  EXPECT_THAT(all[0].differences, IsEmpty());
  EXPECT_TRUE(shapes_of(settings, {settings.checkpoint_topic}).at("made.checkpoints").compacted);
}

TEST(BrokerTopicStore, WhatACrashLeavesIsADraftThatCanBeRemoved) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = topic_of("drafts");
  ByteWriter draft;
  draft.byte(1);
  draft.text("g/p1/chunk");
  draft.number(1);
  draft.number(2);
  write_one(settings, "draft/id7", draft.take(), 0);
  write_one(settings, "part/id7/0", "half", 1);
  const auto store = open(settings);
  EXPECT_THROW(store->get("g/p1/chunk"), RunError);
  EXPECT_THAT(test::names_in(*store, "g/p1"), ElementsAre("g/p1/chunk.id7.draft"));
  EXPECT_THAT(store->folders("g"), IsEmpty());
  store->remove("g/p1/chunk.id7.draft");
  EXPECT_THAT(store->list("g/p1"), IsEmpty());
  // Nothing of it is alive: each of its keys ends in a tombstone.
  std::map<std::string, bool> alive;
  for (const PlainRecord& record : read_all(settings.checkpoint_topic, 3)) {
    alive[*record.key] = record.value.has_value();
  }
  for (const auto& [key, is] : alive) EXPECT_FALSE(is) << key;
  EXPECT_EQ(alive.size(), 3U);
}

TEST(BrokerTopicStore, EveryKeyOfWhatIsGoneEndsInATombstone) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = topic_of("gone");
  const auto store = open(settings);
  store->put("g/p1/a", test::some_bytes(1'200'000, 1));
  store->put("g/p1/a", test::some_bytes(1'200'000, 2));
  store->remove("g/p1/a");
  std::map<std::string, bool> alive;
  for (const PlainRecord& record : read_all(settings.checkpoint_topic, 3)) {
    alive[*record.key] = record.value.has_value();
  }
  EXPECT_EQ(alive.size(), 1U + 2U + 2U * 3U);  // the name, drafts, parts
  for (const auto& [key, is] : alive) EXPECT_FALSE(is) << key;
}

TEST(BrokerTopicStore, BytesThatAreNotThoseWrittenAreNamed) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = topic_of("broken");
  const auto store = open(settings);
  store->put("g/p1/a", "bytes");
  // The same name for other bytes, and for parts that compaction has taken out.
  const auto forge = [&](std::uint64_t bytes, std::vector<std::int64_t> offset_steps) {
    ByteWriter object;
    object.byte(1);
    object.text("id7");
    object.number(read_plain(settings.checkpoint_topic, 1).empty() ? 2 : 1);
    object.number(bytes);
    object.fixed(std::uint64_t{42});
    object.number(offset_steps.size());
    for (const std::int64_t step : offset_steps) object.signed_number(step);
    write_one(settings, "object/g/p1/a", object.take(), 0);
  };
  forge(5, {0});
  EXPECT_THAT([&] { open(settings)->get("g/p1/a"); },
              ThrowsMessage<RunError>(AllOf(HasSubstr("topic broken.checkpoints"),
                                            HasSubstr("g/p1/a is not what was written"))));
  forge(10, {0, 0});
  EXPECT_THAT([&] { open(settings)->get("g/p1/a"); },
              ThrowsMessage<RunError>(HasSubstr("g/p1/a has lost some of its parts")));
  // A record that is none of ours is passed over.
  write_one(settings, "object/g/p1/z", "nonsense", 0);
  write_one(settings, "whatever", "nonsense", 0);
  // What the store wrote under the name has none any more, as after a crash.
  EXPECT_THAT(test::names_in(*open(settings), "g/p1"),
              ElementsAre("g/p1/a", AllOf(StartsWith("g/p1/a."), EndsWith(".draft"))));
}

TEST(BrokerTopicStore, ATopicThatIsNotThereIsNamed) {
  BROKER_OR_SKIP();
  KafkaSettings settings = topic_of("absent");
  settings.checkpoint_topic = "nowhere.checkpoints";
  const auto store = open(settings);
  EXPECT_THAT([&] { store->list("g"); },
              ThrowsMessage<RunError>(
                  AllOf(HasSubstr("topic nowhere.checkpoints"), HasSubstr("checkpoint.topic"))));
}

TEST(BrokerTopicStoreOutage, NoBrokerIsAnErrorInTimeAndThenItGoesOn) {
  BROKER_OR_SKIP();
  KafkaSettings settings = topic_of("outage");
  settings.connect_timeout_s = 3;
  const auto store = open(settings);
  store->put("g/p1/a", "before");
  Broker::instance().kill();
  EXPECT_THROW(store->put("g/p1/b", "meanwhile"), RunError);
  EXPECT_THROW(store->list("g/p1"), RunError);
  Broker::instance().start();
  EXPECT_TRUE(poll_until([] {},
                         [&] {
                           try {
                             store->put("g/p1/c", "after");
                             return true;
                           } catch (const RunError&) {
                             return false;
                           }
                         }));
  EXPECT_EQ(store->get("g/p1/a"), "before");
  EXPECT_EQ(store->get("g/p1/c"), "after");
}

}  // namespace
}  // namespace tidemark::testing
