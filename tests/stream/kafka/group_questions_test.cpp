// Questions about a group while its coordinator is away, which librdkafka's mock cluster can be for
// a moment. It does not describe groups, so the offsets are asked for.
#include "stream/kafka/group_questions.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>

namespace tidemark::kafka {
namespace {

struct DestroyMock {
  void operator()(rd_kafka_mock_cluster_t* cluster) const {
    rd_kafka_mock_cluster_destroy(cluster);
  }
};

/// Longer than one attempt of Wait, so that the first question is given up.
constexpr std::chrono::milliseconds longer_than_an_attempt{6000};

TEST(GroupQuestions, ACoordinatorThatIsAwayForLongIsWaitedForAndAskedAgain) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 256> why{};
  rd_kafka_conf_set(conf, "log_level", "0", why.data(), why.size());
  const ClientHandle host(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size()));
  const std::unique_ptr<rd_kafka_mock_cluster_t, DestroyMock> cluster(
      rd_kafka_mock_cluster_new(host.get(), 1));
  rd_kafka_mock_topic_create(cluster.get(), "in", 1, 1);
  rd_kafka_mock_coordinator_set(cluster.get(), "group", "group", 1);
  KafkaSettings settings;
  settings.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster.get());
  settings.group_id = "group";
  settings.connect_timeout_s = 1;
  settings.outlast_outages = true;
  const PartitionList partitions(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(partitions.get(), "in", 0);

  GroupQuestions group(settings);
  EXPECT_TRUE(group.committers(partitions.get()).empty());
  rd_kafka_mock_broker_set_down(cluster.get(), 1);
  std::jthread back([&cluster] {
    std::this_thread::sleep_for(longer_than_an_attempt);
    rd_kafka_mock_broker_set_up(cluster.get(), 1);
  });
  EXPECT_TRUE(group.committers(partitions.get()).empty());
  EXPECT_TRUE(group.committers(partitions.get()).empty());
}

}  // namespace
}  // namespace tidemark::kafka
