// One output record into librdkafka's queue. Internal to this folder.
#pragma once

#include <cstdint>

#include "stream/encode/output.hpp"
#include "stream/kafka/settings.hpp"

struct rd_kafka_s;
struct rd_kafka_topic_s;
struct rd_kafka_message_s;

namespace tidemark::kafka {

/// Copies the record into the client's queue; one with a letter gets the headers error, message,
/// topic, partition and offset, one that is passed on its own headers and time. Returns
/// librdkafka's error code, 0 when it was taken.
int produce_record(rd_kafka_s* client, rd_kafka_topic_s* topic, const KafkaSettings& settings,
                   const OutputBatch& batch, const OutputRecord& record);

/// What a record that is reported as delivered had as expected_offset, -1 where it had none.
std::int64_t expected_offset_of(const rd_kafka_message_s& delivered);

}  // namespace tidemark::kafka
