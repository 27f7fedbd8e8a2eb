// From librdkafka's messages to a RawBatch: one arena, one copy. Internal to this folder.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "kernels/data/raw_batch.hpp"

struct rd_kafka_message_s;

namespace tidemark::kafka {

/// Copies keys and values into one padded arena, in order, and sets partition, offset, time and
/// has_key, with `keep_headers` the headers too; `source` of each record is the caller's. The
/// messages stay the caller's to destroy.
std::shared_ptr<RawBatch> copy_messages(std::span<rd_kafka_message_s* const> messages,
                                        bool keep_headers);

}  // namespace tidemark::kafka
