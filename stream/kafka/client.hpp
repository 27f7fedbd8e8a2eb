// Owners of librdkafka's handles, its configuration and its errors: internal to this folder. The C
// types are only named here, so that rdkafka.h stays in the *.cpp files.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "stream/kafka/settings.hpp"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_topic_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_partition_list_s;
struct rd_kafka_consumer_group_metadata_s;
struct rd_kafka_error_s;
struct rd_kafka_message_s;

namespace tidemark::kafka {

struct Destroy {
  void operator()(rd_kafka_s* client) const;
  void operator()(rd_kafka_conf_s* conf) const;
  void operator()(rd_kafka_topic_s* topic) const;
  void operator()(rd_kafka_queue_s* queue) const;
  void operator()(rd_kafka_topic_partition_list_s* list) const;
  void operator()(rd_kafka_consumer_group_metadata_s* metadata) const;
  void operator()(rd_kafka_error_s* error) const;
};
using ClientHandle = std::unique_ptr<rd_kafka_s, Destroy>;
using ConfHandle = std::unique_ptr<rd_kafka_conf_s, Destroy>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_s, Destroy>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_s, Destroy>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_s, Destroy>;
using GroupMetadata = std::unique_ptr<rd_kafka_consumer_group_metadata_s, Destroy>;
using ErrorHandle = std::unique_ptr<rd_kafka_error_s, Destroy>;

/// Largest record that the sink sends and that `topics --create` allows for letters.
inline constexpr int record_bytes_max = 64 << 20;

/// `producer` writes in transactions, `writer` without; `group_observer` asks about the group and
/// is not in it.
enum class ClientKind { group_consumer, group_observer, reader, producer, writer, admin };

/// What a client's own threads have seen; the opaque of every client. Outlives its client.
struct ClientWatch {
  bool quiet = false;  // clients that only ask: their caller reports
  void* owner = nullptr;
  std::atomic<bool> transport_trouble{false};

  void note_error(const std::string& text);
  std::string last_error();
  /// Connections that fail again and again are worth a line once in a while. Any thread.
  bool connection_line_is_due();

 private:
  std::mutex mutex_;
  std::string last_error_;
  std::chrono::steady_clock::time_point next_line_;
};

/// A configuration with our choices, the user's kafka.client.* over them and the log callback in
/// place. Throws UsageError that names the property which librdkafka refuses, and for a value that
/// would break a promise (for example kafka.client.enable.auto.commit=true).
ConfHandle make_conf(const KafkaSettings& settings, ClientKind kind, ClientWatch& watch);

/// Takes the configuration.
ClientHandle make_client(ConfHandle conf, ClientKind kind);

/// A deadline from kafka.connect_timeout_s.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds left)
      : end_(std::chrono::steady_clock::now() + left) {}
  explicit Deadline(const KafkaSettings& settings)
      : Deadline(std::chrono::seconds(settings.connect_timeout_s)) {}
  int left_ms() const;  // never negative
  int slice_ms(int most) const { return left_ms() < most ? left_ms() : most; }
  bool over() const { return left_ms() == 0; }

 private:
  std::chrono::steady_clock::time_point end_;
};

/// "no broker of 'h:1' answered within 30 s (kafka.connect_timeout_s): <last error>".
[[noreturn]] void throw_unreachable(const KafkaSettings& settings, ClientWatch& watch);

}  // namespace tidemark::kafka
