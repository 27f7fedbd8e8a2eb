// GroupConsumer: this instance's member of the consumer group, or its share without one. It reads
// the five keyed topics and tells the caller what it was given, what was taken away and where a
// partition ends. One thread
// uses it, while a sink may commit for it on another. It neither recovers state nor commits:
// offsets travel in the sink's transaction.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/data/event.hpp"
#include "kernels/data/raw_batch.hpp"
#include "stream/kafka/settings.hpp"

namespace tidemark {

/// Next offsets of one partition number, by source; offset_none where there is none.
using SourceOffsets = std::array<std::int64_t, source_count>;
inline constexpr std::int64_t offset_none = -1;

/// The reader has seen everything up to the last stable offset; `offset` is where the next record
/// would be, transaction markers included.
struct EndOfPartition {
  Source source = Source::payments;
  int partition = 0;
  std::int64_t offset = 0;
};

/// Where a keyed source of a partition goes on after this transaction.
struct InputPosition {
  Source source = Source::payments;
  int partition = 0;
  std::int64_t next_offset = 0;
};

class GroupConsumer {
 public:
  /// What one poll brought. A rebalance arrives as `revoked`, `assigned` or both, in that order of
  /// meaning, and names what changed: other partitions go on meanwhile. The revoked ones belong to
  /// nobody else until unassign() is called.
  struct Polled {
    std::shared_ptr<RawBatch> records;  // never null, may be empty
    std::vector<EndOfPartition> ends;   // positions after the records of the same poll
    std::vector<int> assigned, revoked;
    bool lost = false;  // revoked by the broker already: nothing may be committed for them
  };

  /// Connects lazily. Throws UsageError for a property that librdkafka does not take.
  explicit GroupConsumer(const KafkaSettings& settings);
  ~GroupConsumer();
  GroupConsumer(const GroupConsumer&) = delete;
  GroupConsumer& operator=(const GroupConsumer&) = delete;

  /// Joins the group. Call after the sink's init(), which settles what a dead predecessor left.
  void subscribe();

  /// Instead of the group: these partitions are ours, and who else has them is not looked for.
  /// Their committed offsets are the group's all the same.
  void take(const std::vector<int>& partitions);

  /// Up to `records_max` records, waiting at most `timeout_ms` for that many. Also the heartbeat of
  /// the membership: call it at least once in max.poll.interval.ms, in recovery too. Within one
  /// source and partition records come in offset order. Values are copied once into one padded
  /// arena. A fence by another instance throws RunError, one by a member that is no more is
  /// outlived: then everything is revoked and lost, to be assigned again. Throws RunError as well
  /// when a topic vanished or the log no longer reaches back to a start offset.
  Polled poll(std::size_t records_max, int timeout_ms);

  /// Begins to fetch an assigned partition number at these offsets (offset_none = the log's
  /// beginning), or rewinds a running one; nothing of it is paused any more. Nothing is fetched of
  /// a partition before its start(). Takes effect at the next poll; several starts between two
  /// polls cost one restart.
  void start(int partition, const SourceOffsets& offsets);

  /// Gives the revoked partitions back: the group goes on from here. Commit before.
  void unassign(const std::vector<int>& revoked);

  /// Stops and continues delivery; what was prefetched of a paused partition is fetched again.
  void pause(Source source, int partition);
  void resume(Source source, int partition);

  /// Committed offsets of the group, from the broker; waits out transactions that are being ended.
  SourceOffsets committed(int partition);
  std::int64_t committed(Source source, int partition);

  /// One past the last record that the last answer of the broker knew of, open transactions and
  /// their markers included; offset_none before there was one. Asks nobody.
  std::int64_t known_end(Source source, int partition) const;

  /// Commits these positions for the group outside a transaction; with none it does nothing. Any
  /// thread. Gives the error where the brokers refuse them, and nothing where they took them.
  std::string commit(std::span<const InputPosition> positions);

  /// Leaves the group's partitions to the next start of this instance (static membership).
  void close();

 private:
  friend class TransactionalSink;  // takes the group metadata for a commit
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
