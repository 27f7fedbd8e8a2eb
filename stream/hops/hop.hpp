// Hop: what a stage between two topics does with the records of a partition. One record in, one
// out; which key, which partition and which headers, that is a hop's own. One thread, HopServer's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/data/raw_batch.hpp"
#include "stream/encode/output.hpp"

namespace tidemark {

/// Thrown out of open() when the program is asked to stop.
struct HopInterrupted {};

class Hop {
 public:
  virtual ~Hop() = default;

  /// A partition begins, all of whose records below `next` were passed on (offset_none: none was):
  /// brings its state there. Throws RunError, and HopInterrupted when `stop` is set meanwhile.
  virtual void open(int partition, std::int64_t next, const std::atomic<bool>& stop) = 0;
  /// Its state is dropped.
  virtual void close(int partition) = 0;
  /// The transaction that ends below `next` is about to be committed and the state is what it
  /// leaves: time for a checkpoint. What is returned, if anything, is to be called behind the
  /// commit, on any thread.
  virtual std::function<void()> checkpoint(int /*partition*/, std::int64_t /*next*/) { return {}; }
  /// All below `next` is committed, and the partition is about to be another's: keeps the state.
  virtual void leave(int /*partition*/, std::int64_t /*next*/) {}
  /// Appends what becomes of records [first, first + count) of `raw`, all of one open partition
  /// and in the order of its log.
  virtual void take(const std::shared_ptr<const RawBatch>& raw, std::size_t first,
                    std::size_t count, OutputBatch& out) = 0;
};

}  // namespace tidemark
