// Questions about a group while its coordinator is away, which librdkafka's mock cluster can be for
// a moment. It does not describe groups, so the offsets are asked for.
#include "stream/kafka/group_questions.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
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

class GroupQuestions : public ::testing::Test {
 protected:
  GroupQuestions() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    std::array<char, 256> why{};
    rd_kafka_conf_set(conf, "log_level", "0", why.data(), why.size());
    host_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size()));
    cluster.reset(rd_kafka_mock_cluster_new(host_.get(), 1));
    rd_kafka_mock_topic_create(cluster.get(), "in", 1, 1);
    rd_kafka_mock_coordinator_set(cluster.get(), "group", "group", 1);
    settings.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster.get());
    settings.group_id = "group";
    settings.connect_timeout_s = 1;
    settings.outlast_outages = true;
    rd_kafka_topic_partition_list_add(partitions.get(), "in", 0);
  }

 private:
  ClientHandle host_;  // before the cluster, which is a part of it

 protected:
  std::unique_ptr<rd_kafka_mock_cluster_t, DestroyMock> cluster;
  KafkaSettings settings;
  PartitionList partitions{rd_kafka_topic_partition_list_new(1)};
};

TEST_F(GroupQuestions, ACoordinatorThatIsAwayForLongIsWaitedForAndAskedAgain) {
  kafka::GroupQuestions group(settings);
  EXPECT_TRUE(group.committers(partitions.get()).empty());
  rd_kafka_mock_broker_set_down(cluster.get(), 1);
  std::jthread back([this] {
    std::this_thread::sleep_for(longer_than_an_attempt);
    rd_kafka_mock_broker_set_up(cluster.get(), 1);
  });
  EXPECT_TRUE(group.committers(partitions.get()).empty());
  EXPECT_TRUE(group.committers(partitions.get()).empty());
}

TEST_F(GroupQuestions, ABrokerThatCoordinatesTheGroupNoLongerIsNotBelieved) {
  constexpr std::int16_t offset_fetch = 9;
  const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                                        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                                        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS};
  rd_kafka_mock_push_request_errors_array(cluster.get(), offset_fetch, std::size(errors), errors);
  EXPECT_TRUE(kafka::GroupQuestions(settings).committers(partitions.get()).empty());
}

}  // namespace
}  // namespace tidemark::kafka
