// Verify: what the log alone can prove, by anybody who may read it. That every input record of a
// range has exactly one outcome, in the order that the journal recorded; and, by a replay from the
// log's start or a checkpoint, that the published bytes and the state hashes are right. Reads only;
// one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stream/pipeline/config.hpp"
#include "stream/verify/report.hpp"

namespace tidemark {

/// An end of a range: a journal offset, or the transaction that holds an offset of a source.
struct RangeEnd {
  std::optional<Source> source;
  std::int64_t offset = 0;
};

struct VerifyOptions {
  std::vector<int> partitions;       // none = all
  std::optional<RangeEnd> from, to;  // whole transactions, both inside; none: as far as there are
  /// In place of `from`: behind this generation of each partition's checkpoints, 0 for the oldest.
  std::optional<std::uint64_t> from_checkpoint;
  bool bytes = false;  // replay and compare
};

/// Throws RunError where it cannot tell (retention has cut the range, no broker), UsageError for a
/// partition that is not there.
std::vector<PartitionReport> verify(const Config& config, const VerifyOptions& options);

}  // namespace tidemark
