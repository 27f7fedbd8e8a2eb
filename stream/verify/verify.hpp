// Verify: what the log alone can prove, by anybody who may read it. That every input record of a
// range has exactly one outcome, in the order that the journal recorded; and, by a replay from the
// log's start, that the published bytes and the state hashes are right. Reads only; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stream/pipeline/accounting.hpp"
#include "stream/pipeline/config.hpp"
#include "stream/verify/findings.hpp"

namespace tidemark {

/// An end of a range: a journal offset, or the transaction that holds an offset of a source.
struct RangeEnd {
  std::optional<Source> source;
  std::int64_t offset = 0;
};

struct VerifyOptions {
  std::vector<int> partitions;       // none = all
  std::optional<RangeEnd> from, to;  // whole transactions, both inside; none: as far as there are
  bool bytes = false;                // replay and compare, from the log's start
};

/// What was seen of one partition.
struct PartitionReport {
  int partition = 0;
  std::uint64_t transactions = 0;
  std::int64_t journal_first = -1, journal_last = -1;  // offsets of the records checked
  SourceCounts sources{};
  std::uint64_t limits = 0, alerts = 0;
  std::uint64_t undecided = 0;       // offsets of inputs behind the journal's end
  std::uint64_t repeated = 0;        // outputs that came again with the same bytes
  std::uint64_t bytes_compared = 0;  // records compared with a replay
  std::uint64_t state_hash = 0;      // of the last transaction checked
  Findings findings;
};

/// Throws RunError where it cannot tell (retention has cut the range, no broker), UsageError for a
/// partition that is not there.
std::vector<PartitionReport> verify(const Config& config, const VerifyOptions& options);

}  // namespace tidemark
