// The inside of GroupConsumer, shared with the sink, which needs the group's metadata. Internal to
// this folder; one thread uses it, and librdkafka calls rebalance() on that same thread. The sink's
// thread may call what is marked so.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
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

  kafka::ClientHandle make_member();
  void subscribe();
  /// `leave`: the group is told, where members are not static and nothing is under way.
  void close_member(bool leave);
  /// Throws when another instance lives; else takes our place in the group again with a new member.
  void outlive_fence();
  bool is_fenced() const;

  /// The fence of a commit, taken afresh for each; null when the group has dropped a member that it
  /// had, so that nothing may be committed for it. Any thread.
  kafka::GroupMetadata group_metadata();
  /// Any thread; takes seconds.
  bool another_instance_lives();

  void rebalance(rd_kafka_s* rk, bool assign, const rd_kafka_topic_partition_list_s* partitions);
  void release(const std::vector<int>& partitions);
  void forget_all();
  void apply_starts();
  kafka::PartitionList starts_of(const std::vector<int>& partitions) const;
  void check_started(int error);
  void keep_pauses(const kafka::PartitionList& list);
  static void say(rd_kafka_error_s* refused);
  bool is_incremental() const { return settings.assignment != Assignment::classic; }
  /// All sources of these partition numbers.
  kafka::PartitionList list_of(const std::vector<int>& partitions) const;
  /// With the offset behind each. A position of `control` is a programming error.
  kafka::PartitionList list_at(std::span<const InputPosition> positions) const;
  kafka::PartitionList one(Source source, int partition) const;
  bool is_fetched(int partition) const {
    return running.count(partition) != 0 && restart.count(partition) == 0;
  }
  void throw_if_fatal();
  void handle_error(const rd_kafka_message_s& message);
  void sort_out(std::span<rd_kafka_message_s* const> messages, Polled& polled);
  std::optional<Source> source_of(std::string_view topic) const;

  KafkaSettings settings;
  kafka::ClientWatch watch;  // before the client, which points at it
  std::mutex client_mutex;   // a fence replaces the client while the sink's thread may ask it
  kafka::ClientHandle client;
  kafka::QueueHandle queue;
  std::atomic<bool> was_member{false};
  std::string member_id;                 // that we had with the last assignment
  std::vector<Source> inputs;            // those with a topic; the first is shared out by the group
  std::set<int> held;                    // partition numbers given to us
  std::set<int> running;                 // those that the client fetches
  std::map<int, SourceOffsets> started;  // partition -> where the next record will be
  std::set<std::pair<int, int>> paused;  // (partition, source)
  Polled pending;                        // rebalances not yet told to the caller
  std::set<int> restart;                 // starts not yet applied
  bool closing = false;
  std::vector<rd_kafka_message_s*> messages, kept;
  std::vector<Source> sources;
};

}  // namespace tidemark
