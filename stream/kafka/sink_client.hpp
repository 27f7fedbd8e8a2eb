// What every sink needs: a producer with its topics, what could not be delivered, and counters.
// Internal to this folder; one thread at a time, but for counters.
#pragma once

#include <array>
#include <mutex>
#include <string>
#include <utility>

#include "stream/kafka/client.hpp"
#include "stream/kafka/sink.hpp"

namespace tidemark::kafka {

struct SinkClient {
  explicit SinkClient(const KafkaSettings& given) : settings(given) { open(); }
  ~SinkClient() { close(); }
  SinkClient(const SinkClient&) = delete;
  SinkClient& operator=(const SinkClient&) = delete;

  void open();
  /// What is still queued will never be part of anything.
  void close();
  /// Puts a record into the client's queue, waiting while it is full. Sets `failed` where that does
  /// not help; throws RunError for a record over the size limit.
  void add(const OutputBatch& batch, const OutputRecord& record);
  /// All records of a batch, until one fails.
  void add_all(const OutputBatch& batch);
  /// Forgets what the last records met.
  void begin();
  /// Throws for what the same records will meet again: going back and trying would never end.
  void judge_undelivered();
  template <typename Change>
  void count(Change change) {
    const std::lock_guard lock(counters_mutex);
    change(counters);
  }
  Sink::Counters counted() const {
    const std::lock_guard lock(counters_mutex);
    return counters;
  }

  KafkaSettings settings;
  ClientWatch watch;  // before the client, which points at it
  ClientHandle client;
  std::array<TopicHandle, output_topic_count> topics;
  std::string failed;   // why what was added cannot be completed
  int undelivered = 0;  // librdkafka's error of the first record that came to nothing
  std::string undelivered_text;
  std::pair<std::string, int> undelivered_place;
  std::string overtaken;    // a record that came to lie elsewhere than it was meant to
  std::size_t records = 0;  // added since begin()
  std::uint64_t bytes = 0;
  mutable std::mutex counters_mutex;  // metrics are read from another thread
  Sink::Counters counters;

 private:
  void note(const rd_kafka_message_s& delivered);
};

}  // namespace tidemark::kafka
