// TransactionalSink: outputs, dead letters and input offsets in one Kafka transaction (promise P2).
// One thread at a time uses it, not always the consumer's; counters() is for any. It never retries
// a transaction: after an abort the caller goes back to the committed offsets and computes again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "kernels/data/event.hpp"
#include "stream/encode/output.hpp"
#include "stream/kafka/consumer.hpp"
#include "stream/kafka/settings.hpp"

namespace tidemark {

/// Where a keyed source of a partition goes on after this transaction.
struct InputPosition {
  Source source = Source::payments;
  int partition = 0;
  std::int64_t next_offset = 0;
};

struct CommitResult {
  enum class Status {
    committed,
    /// Not known to be committed. Drop the state, ask the consumer for the committed offsets (they
    /// tell what really happened), recover and start() the partitions there.
    aborted,
  };
  Status status = Status::committed;
  std::string reason;  // of an abort, for the log
  bool committed() const { return status == Status::committed; }
};

class TransactionalSink {
 public:
  /// Throws UsageError for a property that librdkafka does not take.
  explicit TransactionalSink(const KafkaSettings& settings);
  ~TransactionalSink();
  TransactionalSink(const TransactionalSink&) = delete;
  TransactionalSink& operator=(const TransactionalSink&) = delete;

  /// Fences other holders of the transactional id and ends what they left open. Call once, before
  /// the consumer subscribes. Throws RunError when no broker answers within connect_timeout_s.
  void init();

  /// Adds the records to the transaction, which begins with the first of them. Blocks while the
  /// client's queue is full. A failure shows in commit().
  void produce(const OutputBatch& batch);

  /// Ends the transaction with these positions in it; with nothing to say it does nothing. The
  /// group refuses the positions of a member that is none any more, and with them the transaction.
  /// Throws RunError when this instance was fenced by another that lives in the consumer's group. A
  /// position of `control` is a programming error: it has no group offset.
  CommitResult commit(std::span<const InputPosition> positions, GroupConsumer& consumer);

  /// Drops the transaction (revoked partitions, errors of the caller's own). No-op when none is
  /// open.
  void abort(const std::string& reason);

  std::size_t records_in_transaction() const;
  std::uint64_t bytes_in_transaction() const;
  /// Milliseconds since the transaction began, 0 when none is open.
  std::int64_t transaction_age_ms() const;

  /// For metrics, since the start.
  struct Counters {
    std::uint64_t commits = 0, aborts = 0, recycles = 0, records = 0, queue_full_waits = 0;
    double commit_seconds = 0;
  };
  Counters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
