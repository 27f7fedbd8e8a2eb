// Error paths of the sink, injected by librdkafka's mock cluster. The mock neither stores offsets
// of transactions nor fences nor hides aborted records, so nothing else is claimed from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/kafka/transaction.hpp"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

enum Request : std::int16_t {
  produce = 0,
  add_partitions = 24,
  end_transaction = 26,
  offsets = 28
};

class MockSink : public ::testing::Test {
 protected:
  void SetUp() override {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    std::array<char, 256> why{};
    rd_kafka_conf_set(conf, "log_level", "0", why.data(), why.size());
    host_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
    cluster_ = rd_kafka_mock_cluster_new(host_, 3);
    settings.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster_);
    settings.group_id = "group";
    settings.transactional_id = "id";
    settings.connect_timeout_s = 10;
    settings.latency_profile = true;
    for (std::size_t i = 0; i < settings.input_topics.size(); ++i) {
      settings.input_topics[i] = "in" + std::to_string(i);
    }
    for (std::size_t i = 0; i < settings.output_topics.size(); ++i) {
      settings.output_topics[i] = "out" + std::to_string(i);
      rd_kafka_mock_topic_create(cluster_, settings.output_topics[i].c_str(), 1, 1);
    }
    rd_kafka_mock_topic_create(cluster_, "in0", 1, 1);
    rd_kafka_mock_coordinator_set(cluster_, "transaction", "id", 1);
  }

  void TearDown() override {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(host_);
  }

  void push(Request request, const std::vector<rd_kafka_resp_err_t>& errors) {
    rd_kafka_mock_push_request_errors_array(cluster_, request, errors.size(), errors.data());
  }

  static OutputBatch batch(int records) {
    OutputBatch out;
    out.bytes = "kv";
    for (int i = 0; i < records; ++i) {
      OutputRecord record;
      record.key_bytes = record.value_bytes = 1;
      record.value_begin = 1;
      out.records.push_back(record);
    }
    return out;
  }

  /// One transaction with offsets through `sink`.
  CommitResult run(TransactionalSink& sink, GroupConsumer& consumer, int records = 10) {
    sink.produce(batch(records));
    const InputPosition position{Source::payments, 0, 5};
    return sink.commit({&position, 1}, consumer);
  }

  KafkaSettings settings;
  rd_kafka_t* host_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

TEST_F(MockSink, AMemberThatLostItsPlaceAbortsAndGoesOn) {
  TransactionalSink sink(settings);
  GroupConsumer consumer(settings);
  sink.init();
  for (const auto error :
       {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
        RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID}) {
    push(offsets, {error});
    const CommitResult result = run(sink, consumer);
    EXPECT_EQ(result.status, CommitResult::Status::aborted);
    EXPECT_THAT(result.reason, HasSubstr("send_offsets"));
    EXPECT_EQ(sink.records_in_transaction(), 0U);
    EXPECT_TRUE(run(sink, consumer).committed());
  }
  EXPECT_EQ(sink.counters().commits, 3U);
  EXPECT_EQ(sink.counters().aborts, 3U);
}

TEST_F(MockSink, ACoordinatorThatMovesIsWaitedFor) {
  TransactionalSink sink(settings);
  GroupConsumer consumer(settings);
  sink.init();
  push(end_transaction, {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                         RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS});
  EXPECT_TRUE(run(sink, consumer).committed());
  rd_kafka_mock_coordinator_set(cluster_, "transaction", "id", 2);
  EXPECT_TRUE(run(sink, consumer).committed());
  EXPECT_EQ(sink.counters().aborts, 0U);
}

TEST_F(MockSink, ALostConnectionGivesTheNextTransactionANewProducer) {
  TransactionalSink sink(settings);
  GroupConsumer consumer(settings);
  sink.init();
  EXPECT_TRUE(run(sink, consumer).committed());
  EXPECT_EQ(sink.counters().recycles, 0U);
  push(end_transaction, {RD_KAFKA_RESP_ERR__TRANSPORT});
  EXPECT_TRUE(run(sink, consumer).committed());
  EXPECT_EQ(sink.counters().recycles, 1U);
  EXPECT_TRUE(run(sink, consumer).committed());
  EXPECT_EQ(sink.counters().recycles, 1U);
}

TEST_F(MockSink, ABrokerThatIsAwayForAMomentCostsNothing) {
  TransactionalSink sink(settings);
  GroupConsumer consumer(settings);
  sink.init();
  EXPECT_TRUE(run(sink, consumer).committed());
  rd_kafka_mock_broker_set_down(cluster_, 1);
  std::thread back([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    rd_kafka_mock_broker_set_up(cluster_, 1);
  });
  const CommitResult result = run(sink, consumer);
  back.join();
  EXPECT_TRUE(result.committed()) << result.reason;
  EXPECT_GE(sink.counters().recycles, 1U);
  EXPECT_TRUE(run(sink, consumer).committed());
}

TEST_F(MockSink, FencingAtTheEndStopsTheRun) {
  TransactionalSink sink(settings);
  GroupConsumer consumer(settings);
  sink.init();
  push(end_transaction, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  EXPECT_THAT([&] { run(sink, consumer); },
              ThrowsMessage<RunError>(HasSubstr("fenced: another instance uses transactional id "
                                                "'id'")));
}

TEST_F(MockSink, AFatalEndIsUncertainAndGetsANewProducer) {
  TransactionalSink sink(settings);
  GroupConsumer consumer(settings);
  sink.init();
  push(end_transaction, {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE});
  EXPECT_EQ(run(sink, consumer).status, CommitResult::Status::aborted);
  EXPECT_EQ(sink.counters().recycles, 1U);
  EXPECT_TRUE(run(sink, consumer).committed());
}

TEST_F(MockSink, RecordsThatAreRefusedOnceAbortAndOnesRefusedForGoodStop) {
  TransactionalSink sink(settings);
  GroupConsumer consumer(settings);
  sink.init();
  push(add_partitions, {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED});
  EXPECT_EQ(run(sink, consumer).status, CommitResult::Status::aborted);
  EXPECT_TRUE(run(sink, consumer).committed());
  push(produce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  EXPECT_THAT([&] { run(sink, consumer); },
              ThrowsMessage<RunError>(HasSubstr("kafka refuses a record for good: out0")));
}

TEST_F(MockSink, AFullQueueIsWaitedFor) {
  settings.client["queue.buffering.max.messages"] = "100";
  TransactionalSink sink(settings);
  GroupConsumer consumer(settings);
  sink.init();
  EXPECT_TRUE(run(sink, consumer, 5000).committed());
  EXPECT_GT(sink.counters().queue_full_waits, 0U);
  EXPECT_EQ(sink.counters().records, 5000U);
}

}  // namespace
}  // namespace tidemark
