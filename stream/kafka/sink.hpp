// Sink: where outputs, journal and input offsets go, and what is promised of them together. One
// thread at a time uses it, not always the consumer's; counters() is for any. It never tries again
// by itself: after an abort the caller goes back to the committed offsets and computes again.
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

class Sink {
 public:
  virtual ~Sink() = default;

  /// Call once, before the consumer subscribes: settles what a predecessor left open. Throws
  /// RunError when no broker answers within connect_timeout_s.
  virtual void init() = 0;

  /// Adds the records to the transaction, which begins with the first of them. Blocks while the
  /// client's queue is full. A failure shows in commit().
  virtual void produce(OutputBatch batch) = 0;

  /// Ends the transaction with these positions in it; with nothing to say it does nothing. A
  /// position of `control` is a programming error: it has no group offset.
  virtual CommitResult commit(std::span<const InputPosition> positions,
                              GroupConsumer& consumer) = 0;

  /// Drops the transaction (revoked partitions, errors of the caller's own). No-op when none is
  /// open.
  virtual void abort(const std::string& reason) = 0;

  /// For metrics, since the start.
  struct Counters {
    std::uint64_t commits = 0, aborts = 0, recycles = 0, records = 0, queue_full_waits = 0;
    double commit_seconds = 0;
  };
  virtual Counters counters() const = 0;
};

/// The sink that the settings' `delivery` asks for.
std::unique_ptr<Sink> make_sink(const KafkaSettings& settings);

}  // namespace tidemark
