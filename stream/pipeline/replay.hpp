// Replay: the engine over JSON Lines files (one lane, merged as they are read) or over topics in
// the order that the journal recorded; outputs into a folder. The caller's thread reads, merges and
// writes; parsing and scoring use the pool.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "features/rate_table.hpp"
#include "stream/pipeline/accounting.hpp"
#include "stream/pipeline/config.hpp"
#include "stream/rows/rows_writer.hpp"

namespace tidemark {

struct ReplayOptions {
  std::array<std::optional<std::filesystem::path>, source_count> inputs;
  bool kafka = false;               // topics and journal instead of files
  std::vector<int> partitions;      // with kafka: which ones, none = all
  std::filesystem::path out;        // folder; empty: nothing is written
  std::optional<RowsOptions> rows;  // also training rows
  /// Sees each batch, and the exchange rates of its release, before it is decided.
  std::function<void(const EventBatch&, const RateTable*)> watch;
  std::int64_t now_ms = 0;  // stands for the Kafka timestamp of every line
};

struct ReplaySummary {
  SourceCounts sources{};
  OutcomeCounts total;
  std::uint64_t merchants = 0, state_hash = 0;
  std::string spec, release, backend;
  double seconds = 0, events_per_s = 0;
};

/// The summary as the JSON of summary.json.
std::string to_json(const ReplaySummary& summary);

/// Runs to the end of all inputs, checks the accounting identity and writes summary.json last.
/// Throws UsageError for what the configuration names wrongly and RunError for what fails.
ReplaySummary replay(const Config& config, const ReplayOptions& options);

}  // namespace tidemark
