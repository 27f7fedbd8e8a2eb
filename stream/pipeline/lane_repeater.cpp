// See lane_repeater.hpp.
#include "stream/pipeline/lane_repeater.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace tidemark {
namespace {

constexpr std::size_t read_records_max = 10'000;
constexpr int read_timeout_ms = 5;  // a read waits this long for a full batch
constexpr auto stall_limit = std::chrono::seconds(60);

}  // namespace

/// Feeds recorded runs of one partition's sources to the lane.
class LaneRepeater::Feed {
 public:
  Feed(const RepeatTools& tools, int partition) : tools_(tools), partition_(partition) {}

  /// Makes rows of `source` below `next_offset` available to the merge; at least one.
  void fill(Lane& lane, Source source, std::int64_t first, std::int64_t next_offset) {
    auto& reader = readers_[static_cast<std::size_t>(source)];
    const std::string& topic = tools_.config.kafka.input(source);
    const int partition = source == Source::control ? control_partition : partition_;
    if (!reader)
      reader.emplace(tools_.client, ReadRange{topic, partition, first, log_follow, source});
    auto give_up = std::chrono::steady_clock::now() + stall_limit;
    while (lane.merge.queued(source) == 0) {
      const auto raw = reader->read(read_records_max, read_timeout_ms);
      if (!raw->records.empty()) {
        // Rows beyond the recorded end stay queued and are dropped with the reader: see take().
        lane.merge.push(source, tools_.intake.parse(raw, 0, raw->records.size()), MonotonicTime());
        return;
      }
      if (std::chrono::steady_clock::now() > give_up) {
        // A log that goes on is only slow to come: its brokers were away.
        if (tools_.client.bounds(topic, partition).stable_end > reader->position()) {
          give_up = std::chrono::steady_clock::now() + stall_limit;
          continue;
        }
        throw RunError(fmt::format(
            "recovery of partition {}: {} has no record below offset {} that the journal names; "
            "was the topic truncated or recreated?",
            partition_, topic, next_offset));
      }
    }
  }

 private:
  const RepeatTools& tools_;
  int partition_;
  std::array<std::optional<PlainReader>, source_count> readers_;
};

bool is_contained(const JournalRecord& record, const SourceOffsets& next) {
  for (std::size_t s = 0; s < source_count; ++s) {
    if (record.ranges[s].present && record.ranges[s].next > next[s]) return false;
  }
  return true;
}

Recovered begin_lane(const RepeatTools& tools, int partition, std::optional<RestoredLane> from) {
  Recovered begun;
  if (from) {
    begun.lane = std::move(from->lane);
    begun.next = from->manifest.next;
    begun.journal_end = from->manifest.journal_next;
    begun.checkpoint = std::move(from->manifest);
    return begun;
  }
  begun.lane = tools.releases.engine().make_lane(partition);
  begun.next.fill(offset_none);
  begun.journal_end = log_beginning;
  const std::string& topic = tools.config.kafka.output(OutputTopic::journal);
  const std::int64_t begin = tools.client.bounds(topic, partition).begin;
  if (begin == 0) return begun;
  throw RunError(fmt::format(
      "recovery of partition {}: {} begins at offset {}, what was before is deleted, and there is "
      "no checkpoint to begin from; keep the inputs and the journal longer than checkpoints take "
      "to be made",
      partition, topic, begin));
}

LaneRepeater::LaneRepeater(const RepeatTools& tools, Recovered from)
    : tools_(tools), reached_(std::move(from)) {}
LaneRepeater::~LaneRepeater() = default;

bool LaneRepeater::has(const JournalRecord& record) const {
  if (is_contained(record, reached_.next)) return true;
  // A state holds all of a transaction or nothing.
  for (std::size_t s = 0; s < source_count; ++s) {
    if (!record.ranges[s].present || record.ranges[s].next > reached_.next[s]) continue;
    throw RunError(fmt::format(
        "recovery of partition {}: the checkpoint stands in the middle of the transaction {}; the "
        "checkpoint belongs to another journal",
        record.partition, to_json(record)));
  }
  return false;
}

void LaneRepeater::repeat(const JournalRecord& record, std::int64_t offset,
                          const EngineOutput& out) {
  Lane& lane = *reached_.lane;
  Engine& engine = tools_.releases.engine_of(record.release, lane.partition());
  if (!feed_) feed_ = std::make_unique<Feed>(tools_, lane.partition());
  lane.journal = {};
  lane.journal_rows = 0;
  std::array<std::int64_t, source_count> at{};
  for (std::size_t s = 0; s < source_count; ++s) at[s] = record.ranges[s].first;
  for (const JournalRun& run : record.runs) {
    std::size_t left = run.count;
    while (left > 0) {
      if (lane.merge.queued(run.source) == 0) {
        feed_->fill(lane, run.source, at[static_cast<std::size_t>(run.source)], run.next_offset);
      }
      left -= engine.step_recorded(lane, run.source, left, out);
    }
    at[static_cast<std::size_t>(run.source)] = run.next_offset;
  }
  if (lane.journal.ranges != record.ranges || lane.journal.ticks != record.ticks ||
      lane.journal.counts != record.counts) {
    throw Diverged(fmt::format(
        "recovery of partition {}: replaying the log gives other outcomes than the journal holds "
        "(journal {}, replay {}); the inputs or the settings of capacity changed since",
        lane.partition(), to_json(record), to_json(lane.journal)));
  }
  for (std::size_t s = 0; s < source_count; ++s) {
    if (record.ranges[s].present) reached_.next[s] = record.ranges[s].next;
  }
  reached_.journal_end = offset + 1;
  reached_.rows += record.counts.consumed();
  ++reached_.transactions;
  expected_hash_ = record.state_hash;
}

void LaneRepeater::check_hash() {
  if (!expected_hash_) return;
  const std::uint64_t expected = *std::exchange(expected_hash_, std::nullopt);
  const std::uint64_t hash = reached_.lane->state_hash();
  if (hash == expected) return;
  throw Diverged(fmt::format(
      "recovery of partition {}: the repeated state has hash {:016x}, the journal says {:016x}; "
      "the inputs or the settings of capacity changed since",
      reached_.lane->partition(), hash, expected));
}

Recovered LaneRepeater::take() {
  check_hash();
  feed_.reset();
  Lane& lane = *reached_.lane;
  lane.journal = {};
  lane.journal_rows = 0;
  lane.merge.forget();
  return std::move(reached_);
}

}  // namespace tidemark
