// Fences of a real broker: one by a member that is no more is outlived, one by a living one ends
// the run. A member left without a heartbeat is what a broker knows after a crash of its own.
#include "stream/kafka/fence.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <thread>

#include "kernels/base/failure.hpp"
#include "stream/kafka/group_questions.hpp"
#include "tests/stream/kafka/member.hpp"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Joins under the same id, as another instance, and is gone: nobody sends its heartbeats.
void come_and_go(const KafkaSettings& settings) {
  Member other(settings);
  ASSERT_TRUE(other.assigned());
}

TEST(BrokerFence, AMemberThatIsNoMoreIsOutlived) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("ghost", 2);
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  come_and_go(settings);
  ASSERT_TRUE(poll_until([&] { member.poll(); }, [&] { return member.revocations > 0; }));
  EXPECT_TRUE(member.lost);
  ASSERT_TRUE(member.assigned());
  EXPECT_EQ(member.partitions, (std::vector<int>{0, 1}));
}

TEST(BrokerFence, ATransactionIdThatNobodyElseHoldsIsTakenAgain) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("nobody", 1);
  const std::string& topic = settings.output(OutputTopic::verdicts);
  TransactionalSink sink(settings);
  sink.init();
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  sink.produce(output(OutputTopic::verdicts, "a", "fenced"));
  TransactionalSink(settings).init();  // as the coordinator does when a transaction takes too long
  EXPECT_FALSE(sink.commit({}, member.consumer).committed());
  sink.produce(output(OutputTopic::verdicts, "a", "again"));
  EXPECT_TRUE(sink.commit({}, member.consumer).committed());
  const auto records = read_plain(topic, 0);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].value, "again");
}

TEST(BrokerFence, ALivingInstanceEndsTheFirst) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("living", 1);
  TransactionalSink sink(settings);
  sink.init();
  Member member(settings);
  ASSERT_TRUE(member.assigned());
  sink.produce(output(OutputTopic::verdicts, "a", "of the first"));
  TransactionalSink second_sink(settings);
  second_sink.init();
  Member second(settings);
  ASSERT_TRUE(second.assigned());
  EXPECT_THAT([&] { sink.commit({}, member.consumer); },
              ThrowsMessage<RunError>(HasSubstr("fenced: another instance uses transactional id "
                                                "'living-0'")));
  EXPECT_THAT([&] { poll_until([&] { member.poll(); }, [] { return false; }); },
              ThrowsMessage<RunError>(HasSubstr("fenced: another instance uses group.instance.id "
                                                "'living-0'")));
  second_sink.produce(output(OutputTopic::verdicts, "a", "of the second"));
  EXPECT_TRUE(second_sink.commit({}, second.consumer).committed());
}

/// A member of KIP-848 that died stays listed for its session, 45 s, under the id of the one that
/// was started in its place: that one must not take it for its successor.
TEST(BrokerFence, WithoutStaticMembersNobodyIsReplaced) {
  BROKER_OR_SKIP();
  KafkaSettings settings = made_settings("replaced", 2);
  settings.assignment = Assignment::consumer;
  Member dead(settings), started_again(settings);
  ASSERT_TRUE(dead.assigned());
  ASSERT_TRUE(started_again.assigned());
  EXPECT_NO_THROW(kafka::throw_if_replaced(settings, "the place that was lost"));
  bool waited = false;
  EXPECT_EQ(kafka::GroupQuestions(settings).members(waited)[settings.transactional_id].size(), 2U);
}

}  // namespace
}  // namespace tidemark::testing
