// Creating and checking topics on a real broker.
#include <gmock/gmock.h>

#include <algorithm>

#include "kernels/base/failure.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

/// Makes one topic of `settings` with another partition count than the rest.
void make_alone(KafkaSettings settings, Source source, int partitions) {
  const std::string topic = settings.input(source);
  settings.input_topics.fill("");
  settings.output_topics.fill("");
  settings.redriven_topic.clear();
  settings.input_topics[static_cast<std::size_t>(source)] = topic;
  create_topics(settings, partitions);
}

TEST(BrokerTopics, CreatesWhatIsMissingAndLeavesWhatExists) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = settings_for("create");
  for (const TopicStatus& status : describe_topics(settings, 3)) {
    EXPECT_EQ(status.partitions, 0);
    EXPECT_THAT(status.differences, ElementsAre("missing"));
  }
  make_alone(settings, Source::payments, 3);
  // The others take the partition count of payments, which stays.
  EXPECT_EQ(create_topics(settings, 0).size(), 14U);
  EXPECT_THAT(create_topics(settings, 0), IsEmpty());
  EXPECT_THAT(create_topics(settings, 5), IsEmpty());
  for (const TopicStatus& status : describe_topics(settings, 0)) {
    const bool alone = status.plan.role == "control" || status.plan.role == "redriven";
    EXPECT_EQ(status.partitions, alone ? 1 : 3) << status.plan.role;
    EXPECT_THAT(status.differences, IsEmpty()) << status.plan.role;
  }
  const TopicCheck check = check_topics(settings);
  EXPECT_EQ(check.partitions, 3);
  EXPECT_THAT(check.warnings, IsEmpty());
}

TEST(BrokerTopics, RefusesWhatServeCannotWorkWith) {
  BROKER_OR_SKIP();
  const KafkaSettings missing = settings_for("absent");
  EXPECT_THAT([&] { check_topics(missing); },
              ThrowsMessage<RunError>(AllOf(HasSubstr("missing topics absent.payments "
                                                      "(kafka.topics.payments), absent.invoices"),
                                            HasSubstr("tidemark topics --create"))));
  // The marks of redrive are not the engine's.
  KafkaSettings unmarked = made_settings("unmarked", 2);
  unmarked.redriven_topic = "unmarked.nowhere";
  EXPECT_EQ(check_topics(unmarked).partitions, 2);
  const KafkaSettings uneven = settings_for("uneven");
  make_alone(uneven, Source::invoices, 2);
  create_topics(uneven, 4);
  EXPECT_THAT([&] { check_topics(uneven); },
              ThrowsMessage<RunError>(HasSubstr("uneven.payments (kafka.topics.payments) and "
                                                "uneven.invoices (kafka.topics.invoices) have 4 "
                                                "and 2 partitions")));
  KafkaSettings control = made_settings("control", 2);
  KafkaSettings two = control;
  two.input_topics[static_cast<std::size_t>(Source::payments)] = "control.two";
  make_alone(two, Source::payments, 2);
  control.input_topics[static_cast<std::size_t>(Source::control)] = "control.two";
  EXPECT_THAT([&] { check_topics(control); },
              ThrowsMessage<RunError>(HasSubstr("has 2 partitions; control has exactly one")));
  KafkaSettings shared = control;
  shared.output_topics[static_cast<std::size_t>(OutputTopic::alerts)] =
      shared.input(Source::invoices);
  EXPECT_THAT([&] { check_topics(shared); },
              ThrowsMessage<UsageError>(HasSubstr("kafka.topics.invoices and kafka.topics.alerts "
                                                  "are both 'control.invoices'")));
}

TEST(BrokerTopics, NoBrokerIsOneLineWithinTheTimeout) {
  KafkaSettings settings;
  settings.bootstrap_servers = "127.0.0.1:1";
  settings.group_id = settings.transactional_id = "nobody";
  settings.connect_timeout_s = 1;
  const auto from = std::chrono::steady_clock::now();
  const auto says = HasSubstr(
      "no broker of '127.0.0.1:1' answered within 1 s "
      "(kafka.bootstrap_servers, kafka.connect_timeout_s)");
  EXPECT_THAT([&] { check_topics(settings); }, ThrowsMessage<RunError>(says));
  TransactionalSink sink(settings);
  EXPECT_THAT([&] { sink.init(); }, ThrowsMessage<RunError>(says));
  ReaderClient reader(settings);
  EXPECT_THAT([&] { reader.bounds("any", 0); }, ThrowsMessage<RunError>(says));
  EXPECT_LT(std::chrono::steady_clock::now() - from, std::chrono::seconds(15));
}

}  // namespace
}  // namespace tidemark::testing
