// Recovery: a lane's state from the log, from its start or behind a checkpoint. Reads the
// partition's journal, repeats the recorded order over the inputs and compares outcomes and state
// hash with what the transactions wrote down; each is decided by the release that it was decided
// with. Silent for a restart; with an output it is `replay --kafka`.
#pragma once

#include <functional>
#include <string>

#include "stream/pipeline/lane_repeater.hpp"

namespace tidemark {

/// Called behind each transaction that was repeated: its record, where that stands, and the lane.
using AfterTransaction = std::function<void(const JournalRecord&, std::int64_t offset, Lane&)>;

/// Repeats what the journal holds behind a lane.
struct LogRepeater {
  RepeatTools tools;
  EngineOutput out;
  AfterTransaction after;  // may be empty
  /// Transactions that these offsets contain are repeated without output; null: none is.
  const SourceOffsets* published = nullptr;

  /// Repeats all that the partition's journal holds behind `from`. `goal` is where the inputs are
  /// known to end, for the remaining time that it logs. Throws RunError when journal and log do not
  /// fit together or no longer reach back far enough, and Diverged when a transaction gives other
  /// outcomes or the last one another state hash.
  Recovered repeat(Recovered from, const SourceOffsets* goal);
};

/// Where a checkpoint stands in its journal: the last record that its state contains.
struct JournalPlace {
  std::int64_t offset = -1;
  std::string why_not;  // of this journal: another state hash, or it goes on elsewhere
};
/// Nothing where that record is deleted. `bounds` are the journal's, settled.
std::optional<JournalPlace> place_in_journal(const CheckpointManifest& manifest,
                                             const ReaderClient::Bounds& bounds,
                                             ReaderClient& client, const std::string& journal);

/// Why a checkpoint is not of this journal, or nothing: topics may have been made anew, or another
/// group's checkpoints lie in its folder. The last record that the state contains has to have its
/// hash, as far as the journal still has that record, and the checkpoint to go on right behind it:
/// another journal over the same inputs may reach the same state at another offset.
std::string foreign_to_journal(const CheckpointManifest& manifest, ReaderClient& client,
                               const std::string& journal);

/// The newest checkpoint of a partition that is of its journal and not ahead of `committed`;
/// nothing where there is none.
std::optional<RestoredLane> restore_of_journal(const RepeatTools& tools,
                                               const CheckpointStore& store, int partition,
                                               const SourceOffsets& committed, ThreadPool& pool);

/// Where the journal goes on behind a state that stands at `next`: at its first record that is not
/// in the state, or at its end. Another owner of the partition may have gone on with it meanwhile.
std::int64_t journal_behind(const SourceOffsets& next, int partition, ReaderClient& client,
                            const std::string& journal);

/// What the group has committed of a partition at least, by the journal's last records; offset_none
/// for a source that they do not have. Outside transactions the offsets of the very last one may
/// still be on their way.
SourceOffsets committed_at_least(const Config& config, int partition, ReaderClient& client);

/// Throws RunError when the journal does not end where the group's committed offsets of the
/// partition are.
void check_reaches(const Config& config, const Recovered& recovered, int partition,
                   const SourceOffsets& committed);

}  // namespace tidemark
