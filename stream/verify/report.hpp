// Reports: what a verification has seen of each partition, and all of it as JSON.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stream/kafka/journal.hpp"
#include "stream/pipeline/accounting.hpp"
#include "stream/verify/violations.hpp"

namespace tidemark {

/// What was seen of one partition.
struct PartitionReport {
  int partition = 0;
  std::uint64_t transactions = 0;
  std::int64_t journal_first = -1, journal_last = -1;  // offsets of the records checked
  std::array<JournalRange, source_count> ranges{};     // input offsets that these hold
  SourceCounts sources{};
  std::uint64_t limits = 0, alerts = 0;
  std::uint64_t undecided = 0;       // offsets of inputs behind the journal's end
  std::uint64_t repeated = 0;        // outputs that came again with the same bytes
  std::uint64_t bytes_compared = 0;  // records compared with a replay
  std::uint64_t replayed_from =
      0;  // generation of the checkpoint; 0: the log's start, or no replay
  /// Of journal and inputs; what the range needs may be there all the same.
  bool start_deleted = false;
  std::uint64_t state_hash = 0;  // of the last transaction checked
  Violations violations;

  std::uint64_t records() const {
    std::uint64_t sum = 0;
    for (const OutcomeCounts& source : sources) sum += source.consumed;
    return sum;
  }
};

/// The sums of all partitions.
struct ReportTotal {
  std::uint64_t records = 0, transactions = 0, compared = 0, violations = 0;
};
ReportTotal total_of(const std::vector<PartitionReport>& reports);

/// One object: `"result":"proved"` or `"violated"`, the sums, each partition.
std::string to_json(const std::vector<PartitionReport>& reports);

}  // namespace tidemark
