// Patience: a question put to the brokers again and again until they answer it. Internal to this
// folder; one thread uses a Wait. Whether the brokers are there at all is for pulse.hpp to watch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "stream/kafka/client.hpp"

struct rd_kafka_s;

namespace tidemark::kafka {

/// While nobody is there to answer it waits for kafka.connect_timeout_s, or without end where
/// `outlast` is set. Errors of brokers that do answer get kafka.connect_timeout_s, an unknown topic
/// a few seconds.
class Wait {
 public:
  Wait(const KafkaSettings& settings, ClientWatch& watch, bool outlast);
  Wait(const KafkaSettings& settings, ClientWatch& watch)
      : Wait(settings, watch, settings.outlast_outages) {}

  /// For the next attempt, at least 1 ms.
  int attempt_ms() const;
  /// After a failed attempt: sleeps a little longer than the last time, or throws RunError when
  /// asking again will not help: "<what>: <error>".
  void after(int error, std::string_view what);
  /// Attempts that failed.
  int failures() const { return failures_; }

 private:
  const KafkaSettings& settings_;
  ClientWatch& watch_;
  bool outlast_;
  int failures_ = 0;
  Deadline limit_, unknown_limit_;
};

/// Leaders and their epochs change while a broker is away, and not every request finds that out by
/// itself: asks for the topic's metadata, and leaves it at that where nobody answers.
void refresh_metadata(rd_kafka_s* client, const std::string& topic, int timeout_ms);

/// First offset and last stable offset of a partition, asked through any client.
struct LogBounds {
  std::int64_t begin = 0, stable_end = 0;
};
LogBounds query_bounds(rd_kafka_s* client, Wait wait, const std::string& topic, int partition);

}  // namespace tidemark::kafka
