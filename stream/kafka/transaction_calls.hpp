// The calls of a transactional producer that want patience, alike for every one of them. Internal
// to this folder; one thread at a time uses a producer.
#pragma once

#include <functional>
#include <string>

#include "stream/kafka/client.hpp"
#include "stream/kafka/wait.hpp"

namespace tidemark::kafka {

/// "NAME: what it says".
std::string text_of(const ErrorHandle& error);

/// Fences other holders of the transactional id and ends what they left open. Throws RunError.
void init_transactions(rd_kafka_s* client, const KafkaSettings& settings, Wait wait);

/// Calls again while librdkafka says that the same call may be resumed: without end under
/// kafka.outlast_outages, else a bounded number of times.
ErrorHandle persist(rd_kafka_s* client, const KafkaSettings& settings,
                    const std::function<rd_kafka_error_s*()>& call);

[[noreturn]] void throw_fenced(const KafkaSettings& settings, const std::string& why);

}  // namespace tidemark::kafka
