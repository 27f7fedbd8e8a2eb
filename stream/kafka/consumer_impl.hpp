// The inside of GroupConsumer, shared with the sink, which needs the group's metadata. Internal to
// this folder; one thread uses it, and librdkafka calls rebalance() on that same thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "stream/kafka/client.hpp"
#include "stream/kafka/consumer.hpp"

namespace tidemark {

struct GroupConsumer::Impl {
  explicit Impl(const KafkaSettings& given);

  void rebalance(rd_kafka_s* rk, bool assign, const rd_kafka_topic_partition_list_s* partitions);
  void apply_starts();
  void forget_all();
  void throw_if_fatal();
  void throw_if_unanswerable(int error);
  void handle_error(const rd_kafka_message_s& message);
  void sort_out(std::span<rd_kafka_message_s* const> messages, Polled& polled);
  std::optional<Source> source_of(std::string_view topic) const;

  KafkaSettings settings;
  kafka::ClientWatch watch;  // before the client, which points at it
  kafka::ClientHandle client;
  kafka::QueueHandle queue;
  std::set<std::pair<int, int>> held;    // (partition, source) given to us
  std::map<int, SourceOffsets> started;  // partition -> where the next record will be
  std::set<std::pair<int, int>> paused;  // (partition, source)
  Polled pending;                        // rebalances not yet told to the caller
  bool restart = false;                  // starts not yet applied
  bool closing = false;
  std::vector<rd_kafka_message_s*> messages, kept;
  std::vector<Source> sources;
};

}  // namespace tidemark
