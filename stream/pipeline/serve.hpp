// Serve: Kafka in, Kafka out, until it is told to stop. One thread polls, merges and scores (on the
// pool); the committer's thread produces and commits. State lives in lanes, one a partition number;
// whatever goes wrong in a transaction, lanes are dropped and recovered from the log.
#pragma once

#include <atomic>
#include <functional>

#include "stream/pipeline/config.hpp"

namespace tidemark {

/// Runs until `stop` is set: then what was read is finished, committed, and the call returns.
/// `ready` is called when the first assignment is recovered. Throws UsageError and RunError.
void serve(const Config& config, const std::atomic<bool>& stop,
           const std::function<void()>& ready = {});

}  // namespace tidemark
