// Who owns which partitions, against a real broker: shared by a group of either protocol, taken by
// hand, kept over a restart, fenced.
#include <gmock/gmock.h>

#include <chrono>
#include <set>

#include "kernels/base/failure.hpp"
#include "tests/stream/kafka/member.hpp"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

KafkaSettings another(KafkaSettings settings) {
  settings.transactional_id += "-other";
  return settings;
}

/// Polls both until each has two of four partitions.
bool share_four(Member& first, Member& second) {
  return poll_until(
      [&] {
        first.poll(10);
        second.poll(10);
      },
      [&] { return first.partitions.size() == 2 && second.partitions.size() == 2; });
}

TEST(BrokerMembership, TwoMembersShareAndTheSourcesOfAPartitionStayTogether) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("share", 4);
  for (const Source source : keyed_sources) {
    for (int p = 0; p < 4; ++p) write_plain(settings.input(source), numbered(0, 3, p));
  }
  Member first(settings);
  ASSERT_TRUE(first.assigned());
  EXPECT_EQ(first.partitions.size(), 4U);
  Member second(another(settings));
  ASSERT_TRUE(share_four(first, second));
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

TEST(BrokerMembership, ANewMemberDoesNotDisturbWhatStays) {
  BROKER_OR_SKIP();
  KafkaSettings settings = made_settings("undisturbed", 4);
  settings.assignment = Assignment::consumer;
  for (int p = 0; p < 4; ++p) {
    write_plain(settings.input(Source::payments), numbered(0, 100, p));
    write_plain(settings.input(Source::signals), numbered(0, 10, p));
  }
  Member first(settings);
  ASSERT_TRUE(first.assigned());
  for (const int p : first.partitions) first.consumer.start(p, from_beginning());
  ASSERT_TRUE(first.until([&] { return first.ends.size() == 20; }));
  Member second(another(settings));
  ASSERT_TRUE(share_four(first, second));
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

TEST(BrokerMembership, MembersOfTheNewProtocolShareToo) {
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
  Member second(another(settings));
  ASSERT_TRUE(share_four(first, second));
  EXPECT_EQ(second.consumer.committed(Source::payments, 3), 20);
  EXPECT_FALSE(first.lost);
}

TEST(BrokerMembership, WhatIsTakenByHandNeedsNoGroup) {
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

TEST(BrokerMembership, AMemberThatComesBackInTimeKeepsItsPartitions) {
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

TEST(BrokerMembership, TheSameInstanceIdTwiceFencesTheFirst) {
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

}  // namespace
}  // namespace tidemark::testing
