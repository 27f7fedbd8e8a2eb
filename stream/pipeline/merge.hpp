// Where the sources of one partition number meet: by merge time, then source order, then offset.
// Owned by a lane and used by the engine's thread only. It decides order; it reads nothing itself
// and knows no outcome beyond what the parser settled.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/data/event_batch.hpp"

namespace tidemark {

using MonotonicTime = std::chrono::steady_clock::time_point;

/// What is known of a source that has nothing queued.
enum class SourceState : std::uint8_t {
  catching_up,  // more is known or suspected to be there: the merge waits for it
  live_end,     // at the end of its log for now: held records wait for it at most merge.idle_ms
  closed,       // nothing will come any more
};

/// True for a row that may move a clock or a tick: parsed, not ahead of its log, key fits, and with
/// a time of its own, which a tombstone has not.
inline bool passes_stateless_checks(const EventBatch& rows, std::size_t row) {
  return rows.outcome[row] == Outcome::pending && rows.type[row] != EventType::tombstone;
}

class SourceMerge {
 public:
  explicit SourceMerge(std::chrono::milliseconds idle) : idle_(idle) {
    states_.fill(SourceState::closed);
  }

  /// Queues parsed rows of one source, in offset order, read at `read_at`.
  void push(Source source, std::unique_ptr<EventBatch> rows, MonotonicTime read_at);
  void set_state(Source source, SourceState state) { states_[index(source)] = state; }
  SourceState state(Source source) const { return states_[index(source)]; }
  std::size_t queued(Source source) const { return queued_[index(source)]; }
  /// Bytes of the values that are queued.
  std::size_t queued_bytes(Source source) const { return queued_bytes_[index(source)]; }
  bool empty() const;

  /// Where a batch has to end, because something other than rows comes between.
  struct Cut {
    std::int64_t tick_ms = INT64_MAX;  // before the first row at or after this event time
  };
  /// Moves rows in merge order to the end of `out` until it holds `rows_max`, a cut is reached or
  /// a source has to be waited for. A control row always comes alone. Returns the rows moved.
  std::size_t take(EventBatch& out, std::size_t rows_max, const Cut& cut, MonotonicTime now);
  /// Moves up to `count` rows of one source, whatever the others hold: a recorded order.
  std::size_t take_recorded(EventBatch& out, Source source, std::size_t count, const Cut& cut);
  /// The next row in merge order (or of `recorded`), when the cut comes right before it.
  struct Crossing {
    std::int64_t event_time_ms = 0;
    Source source = Source::payments;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
  };
  std::optional<Crossing> crossing(const Cut& cut, MonotonicTime now) const;
  std::optional<Crossing> crossing_recorded(Source recorded, const Cut& cut) const;
  /// Drops what is queued, as if it had never been read. Untrustworthy records that come next keep
  /// their place behind the last one that was taken.
  void forget();
  /// Merge time of the last row taken of each source, which decides where an untrustworthy one that
  /// comes next has its place; to go on from a checkpoint with nothing queued.
  const std::array<std::int64_t, source_count>& taken_times_ms() const { return taken_time_ms_; }
  void resume(const std::array<std::int64_t, source_count>& taken_times_ms) {
    taken_time_ms_ = taken_times_ms;
    forget();
  }
  /// When a record that is now held back may go, or MonotonicTime::max().
  MonotonicTime next_release() const;

 private:
  struct Chunk {
    std::unique_ptr<EventBatch> rows;
    std::vector<std::int64_t> merge_time_ms;
    std::size_t next = 0;
    MonotonicTime read_at;
  };
  static std::size_t index(Source source) { return static_cast<std::size_t>(source); }
  bool choose(MonotonicTime now, std::size_t& best, std::int64_t& until_ms,
              std::size_t& rival) const;
  std::size_t move(EventBatch& out, std::size_t source, std::size_t count);
  static bool cuts(const Chunk& chunk, std::size_t row, const Cut& cut) {
    return chunk.rows->event_time_ms[row] >= cut.tick_ms &&
           passes_stateless_checks(*chunk.rows, row);
  }

  std::array<std::deque<Chunk>, source_count> queues_;
  std::array<std::int64_t, source_count> last_time_ms_ = filled(INT64_MIN);   // of rows pushed
  std::array<std::int64_t, source_count> taken_time_ms_ = filled(INT64_MIN);  // of rows taken
  std::array<std::size_t, source_count> queued_{}, queued_bytes_{};
  std::array<SourceState, source_count> states_{};
  std::chrono::milliseconds idle_;

  static std::array<std::int64_t, source_count> filled(std::int64_t value) {
    std::array<std::int64_t, source_count> all;
    all.fill(value);
    return all;
  }
};

}  // namespace tidemark
