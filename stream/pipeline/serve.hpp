// Serve: Kafka in, Kafka out, until it is told to stop: the merchants' stage. One thread polls,
// merges and scores (on the pool); the committer's thread produces and commits. State lives in
// lanes, one a partition number; whatever goes wrong in a transaction, lanes are dropped and
// recovered from the log.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "stream/pipeline/accounting.hpp"
#include "stream/pipeline/config.hpp"
#include "stream/pipeline/stage_board.hpp"

namespace tidemark {

/// What a caller may want to know while it runs; called on the serving thread.
struct ServeHooks {
  std::function<void()> ready;                     // the first assignment is recovered
  std::function<void(std::uint64_t rows)> taken;   // rows read so far, each round
  std::function<void(std::uint64_t rows)> handed;  // rows handed to commits so far, each round
  std::function<void()> settled;                   // the last commit is done, before leaving
  std::function<bool()> take_over;                 // a standby of an ordinal asks, again and again
  const StageBoard* stages = nullptr;              // those of this process that go before
};

/// Runs until `stop` is set: then what was read is finished, committed, and the call returns.
/// Returns the outcomes of its partitions since the start of the log. Throws UsageError, RunError.
SourceCounts serve(const Config& config, const std::atomic<bool>& stop,
                   const ServeHooks& hooks = {});

}  // namespace tidemark
