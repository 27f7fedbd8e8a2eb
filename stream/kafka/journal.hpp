// The journal (design: what is not a pure function of the inputs' content is written down): one
// record per partition and transaction with the order in which sources, control events and ticks
// met. This file gives the record, its bytes and a reader; writing is the sink's, meaning the
// engine's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/event.hpp"
#include "stream/kafka/reader.hpp"
#include "stream/kafka/settings.hpp"

namespace tidemark {

/// Offsets [first, next) of one source in this transaction; first == next when it had none.
struct JournalRange {
  std::int64_t first = 0, next = 0;
  bool present = false;
  bool operator==(const JournalRange&) const = default;
};

/// `count` consecutive rows of one source; `next_offset` is one past the last of them, so a run
/// stays readable where compaction or transaction markers left gaps.
struct JournalRun {
  Source source = Source::payments;
  std::uint32_t count = 0;
  std::int64_t next_offset = 0;
  bool operator==(const JournalRun&) const = default;
};

/// A sweep at `tick_ms`, run before row `position` (0 = the record's first row).
struct JournalTick {
  std::uint64_t position = 0;
  std::int64_t tick_ms = 0;
  bool operator==(const JournalTick&) const = default;
};

/// The control event at `offset`, in effect from row `position` on.
struct JournalControl {
  std::uint64_t position = 0;
  std::int64_t offset = 0;
  bool operator==(const JournalControl&) const = default;
};

struct JournalDuplicate {
  Source source = Source::payments;
  std::int64_t offset = 0;
  bool operator==(const JournalDuplicate&) const = default;
};

struct JournalCounts {
  std::uint64_t scored = 0, applied = 0, dead_lettered = 0, late = 0, duplicate = 0;
  std::uint64_t consumed() const { return scored + applied + dead_lettered + late + duplicate; }
  bool operator==(const JournalCounts&) const = default;
};

struct JournalRecord {
  std::int32_t partition = 0;
  std::string release;  // fingerprint in force at the record's end
  std::array<JournalRange, source_count> ranges;
  std::vector<JournalRun> runs;
  std::vector<JournalTick> ticks;        // by position, ascending
  std::vector<JournalControl> controls;  // by position, ascending
  JournalCounts counts;
  std::vector<JournalDuplicate> duplicates;
  std::uint64_t state_hash = 0;  // of the partition's state after this record
  /// Where its writer, outside a transaction, wanted it to lie; -1 in a transaction. A record that
  /// lies elsewhere was overtaken by another writer's and is none: its writer has started anew.
  std::int64_t expected_offset = -1;
  bool counts_at(std::int64_t offset) const {
    return expected_offset < 0 || expected_offset == offset;
  }
  bool operator==(const JournalRecord&) const = default;
};

/// Compact bytes: a version byte, variable-length integers, XXH3-64 of all before at the end. The
/// same record gives the same bytes. A run must not go back behind the one before it of its source.
std::string encode_journal(const JournalRecord& record);

/// Strict: wrong version, checksum, length, order or sums give nothing, and `error` says which.
std::optional<JournalRecord> decode_journal(std::string_view bytes, std::string* error);

/// One line of JSON for people and scripts; state_hash as 16 hex digits.
std::string to_json(const JournalRecord& record);

/// What lies there in the journal; nothing for a record that counts for nobody. Throws RunError for
/// one that does not decode or was written for another partition.
std::optional<JournalRecord> journal_record(const RawRecord& raw, const std::string& topic);

/// All records of a partition's journal that count, in order, one at a time, up to what was
/// written at the call; transactions under way are waited for. `from` is an offset or
/// log_beginning. Gives where it ended. Throws RunError for a record that does not decode, and when
/// the log no longer reaches back to `from`.
void read_journal(const KafkaSettings& settings, int partition,
                  const std::function<void(const JournalRecord&, std::int64_t offset)>& take);
std::int64_t read_journal(
    ReaderClient& client, const std::string& topic, int partition, std::int64_t from,
    const std::function<void(const JournalRecord&, std::int64_t offset)>& take);

}  // namespace tidemark
