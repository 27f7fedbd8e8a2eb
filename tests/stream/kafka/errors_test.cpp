// The table of errors: what is waited for, what ends a transaction, what ends the run.
#include "stream/kafka/errors.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

namespace tidemark::kafka {
namespace {

TEST(KafkaErrors, WhatABrokerSaysAfterItsReturnIsWaitedFor) {
  for (const auto code :
       {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TIMED_OUT,
        RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS}) {
    EXPECT_EQ(classify(code), ErrorClass::away) << rd_kafka_err2name(code);
  }
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), ErrorClass::unknown_topic);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT), ErrorClass::retriable);
}

TEST(KafkaErrors, WhatNeverMendsIsFatal) {
  for (const auto code :
       {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE}) {
    EXPECT_EQ(classify(code), ErrorClass::fatal) << rd_kafka_err2name(code);
  }
}

TEST(KafkaErrors, FencesAreTheirOwnClass) {
  for (const auto code :
       {RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
        RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID}) {
    EXPECT_EQ(classify(code), ErrorClass::fenced) << rd_kafka_err2name(code);
  }
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION), ErrorClass::abortable);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_NO_ERROR), ErrorClass::none);
  EXPECT_EQ(classify_transactional(nullptr), ErrorClass::none);
}

}  // namespace
}  // namespace tidemark::kafka
