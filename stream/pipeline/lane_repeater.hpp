// LaneRepeater: one partition's state on its way along its journal, a record at a time: the
// recorded order is repeated over the inputs, outcomes and state hash are compared with what the
// transactions wrote down, and each is decided by the release that it was decided with. Who reads
// the journal, and how far, is the caller's: a recovery to its end, a standby as it grows. One
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "kernels/base/failure.hpp"
#include "stream/kafka/consumer.hpp"
#include "stream/kafka/reader.hpp"
#include "stream/pipeline/intake.hpp"
#include "stream/pipeline/release_set.hpp"
#include "stream/pipeline/restore.hpp"

namespace tidemark {

/// Replaying gives something else than the journal says.
class Diverged : public RunError {
 public:
  using RunError::RunError;
};

/// A lane between two transactions, and where it stands.
struct Recovered {
  std::unique_ptr<Lane> lane;
  SourceOffsets next{};            // where each source goes on; offset_none: at the log's beginning
  std::uint64_t transactions = 0;  // journal records repeated
  std::uint64_t rows = 0;
  std::optional<CheckpointManifest> checkpoint;  // where it began
  std::int64_t journal_end = 0;                  // where the journal was read to
};

/// With what logs are repeated; outlives whoever repeats.
struct RepeatTools {
  const Config& config;
  ReleaseSet& releases;
  Intake& intake;
  ReaderClient& client;
};

/// Whether a state that stands at `next` has the record in it.
bool is_contained(const JournalRecord& record, const SourceOffsets& next);

/// Where a partition begins: at the checkpoint, or with an empty lane at the log's beginning.
/// Throws RunError when that is deleted.
Recovered begin_lane(const RepeatTools& tools, int partition, std::optional<RestoredLane> from);

class LaneRepeater {
 public:
  LaneRepeater(const RepeatTools& tools, Recovered from);
  ~LaneRepeater();
  LaneRepeater(const LaneRepeater&) = delete;
  LaneRepeater& operator=(const LaneRepeater&) = delete;

  /// Whether the state has the record in it already. Throws RunError when it has a part of it.
  bool has(const JournalRecord& record) const;
  /// Repeats a record that the state has not, which lies at `offset` of the journal. Throws
  /// RunError when the inputs do not reach so far, and Diverged for other outcomes.
  void repeat(const JournalRecord& record, std::int64_t offset, const EngineOutput& out);
  /// Throws Diverged when the state has another hash than the last record that was repeated.
  void check_hash();
  /// What was reached so far; the lane may be looked at between two records.
  const Recovered& reached() const { return reached_; }
  /// The lane from here on goes its own way: whatever was read ahead is dropped. Checks the hash.
  Recovered take();

 private:
  class Feed;
  const RepeatTools tools_;
  Recovered reached_;
  std::unique_ptr<Feed> feed_;
  std::optional<std::uint64_t> expected_hash_;  // not compared yet
};

}  // namespace tidemark
