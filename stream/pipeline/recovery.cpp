// See recovery.hpp.
#include "stream/pipeline/recovery.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

constexpr std::size_t read_records_max = 10'000;
constexpr int read_timeout_ms = 5;  // a read waits this long for a full batch
constexpr auto stall_limit = std::chrono::seconds(60);
constexpr auto progress_interval = std::chrono::seconds(5);

/// Feeds recorded runs of one partition's sources to the lane.
class RecordedFeed {
 public:
  RecordedFeed(const Config& config, Intake& intake, ReaderClient& client, int partition)
      : config_(config), intake_(intake), client_(client), partition_(partition) {}

  /// Makes rows of `source` below `next_offset` available to the merge; at least one.
  void fill(Lane& lane, Source source, std::int64_t first, std::int64_t next_offset) {
    auto& reader = readers_[static_cast<std::size_t>(source)];
    const std::string& topic = config_.kafka.input(source);
    const int partition = source == Source::control ? control_partition : partition_;
    if (!reader) reader.emplace(client_, ReadRange{topic, partition, first, log_follow, source});
    auto give_up = std::chrono::steady_clock::now() + stall_limit;
    while (lane.merge.queued(source) == 0) {
      const auto raw = reader->read(read_records_max, read_timeout_ms);
      if (!raw->records.empty()) {
        // Rows beyond the recorded end stay queued and are dropped with the reader: see finish().
        lane.merge.push(source, intake_.parse(raw, 0, raw->records.size()), MonotonicTime());
        return;
      }
      if (std::chrono::steady_clock::now() > give_up) {
        // A log that goes on is only slow to come: its brokers were away.
        if (client_.bounds(topic, partition).stable_end > reader->position()) {
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
  const Config& config_;
  Intake& intake_;
  ReaderClient& client_;
  int partition_;
  std::array<std::optional<PlainReader>, source_count> readers_;
};

/// Repeats one transaction and checks that the same ticks fell and the same outcomes came.
void repeat_one(Engine& engine, Lane& lane, RecordedFeed& feed, const JournalRecord& record,
                const EngineOutput& out) {
  lane.journal = {};
  lane.journal_rows = 0;
  std::array<std::int64_t, source_count> at{};
  for (std::size_t s = 0; s < source_count; ++s) at[s] = record.ranges[s].first;
  for (const JournalRun& run : record.runs) {
    std::size_t left = run.count;
    while (left > 0) {
      if (lane.merge.queued(run.source) == 0) {
        feed.fill(lane, run.source, at[static_cast<std::size_t>(run.source)], run.next_offset);
      }
      left -= engine.step_recorded(lane, run.source, left, out);
    }
    at[static_cast<std::size_t>(run.source)] = run.next_offset;
  }
  if (lane.journal.ranges == record.ranges && lane.journal.ticks == record.ticks &&
      lane.journal.counts == record.counts) {
    return;
  }
  throw Diverged(fmt::format(
      "recovery of partition {}: replaying the log gives other outcomes than the journal holds "
      "(journal {}, replay {}); the inputs or the settings of capacity changed since",
      lane.partition(), to_json(record), to_json(lane.journal)));
}

/// Says every few seconds how far it is, how fast, and how long it will take.
class Progress {
 public:
  Progress(int partition, const SourceOffsets& from, const SourceOffsets* goal)
      : partition_(partition), began_(std::chrono::steady_clock::now()), due_(began_) {
    due_ += progress_interval;
    for (std::size_t s = 0; goal != nullptr && s < source_count; ++s) {
      if ((*goal)[s] > 0)
        total_ += static_cast<std::uint64_t>((*goal)[s] - std::max<std::int64_t>(from[s], 0));
    }
  }

  void report(std::uint64_t rows) {
    const auto now = std::chrono::steady_clock::now();
    if (now < due_) return;
    due_ = now + progress_interval;
    const std::chrono::duration<double> took = now - began_;
    const double rate = static_cast<double>(rows) / took.count();
    // Offsets count transaction markers too, so the end may come sooner.
    const double left = total_ > rows ? static_cast<double>(total_ - rows) / rate : 0;
    spdlog::info("partition {}: {} of {} events repeated, {:.0f} a second, {:.0f} s left",
                 partition_, rows, std::max(total_, rows), rate, left);
  }

 private:
  int partition_;
  std::chrono::steady_clock::time_point began_, due_;
  std::uint64_t total_ = 0;
};

/// Whether a state that stands at `next` has the record in it.
bool is_contained(const JournalRecord& record, const SourceOffsets& next) {
  for (std::size_t s = 0; s < source_count; ++s) {
    if (record.ranges[s].present && record.ranges[s].next > next[s]) return false;
  }
  return true;
}

/// Of a record that is not contained: a state holds all of a transaction or nothing.
void check_not_torn(const JournalRecord& record, const SourceOffsets& next) {
  for (std::size_t s = 0; s < source_count; ++s) {
    if (!record.ranges[s].present || record.ranges[s].next > next[s]) continue;
    throw RunError(fmt::format(
        "recovery of partition {}: the checkpoint stands in the middle of the transaction {}; the "
        "checkpoint belongs to another journal",
        record.partition, to_json(record)));
  }
}

/// Which transactions of a log go out once more: those that the committed offsets do not contain.
/// One with control events alone has no committed offset; what follows it tells.
class Republished {
 public:
  Republished(const EngineOutput& out, const SourceOffsets* published)
      : out_(out), published_(published) {
    undecided_.records = &held_;
  }

  /// Where the record's outputs go.
  const EngineOutput& output_of(const JournalRecord& record) {
    if (published_ == nullptr || out_.records == nullptr) return out_;
    bool keyed = false, contained = true;
    for (const Source source : keyed_sources) {
      const auto s = static_cast<std::size_t>(source);
      if (!record.ranges[s].present) continue;
      keyed = true;
      contained = contained && record.ranges[s].next <= (*published_)[s];
    }
    if (!keyed && !going_out_) return undecided_;
    if (keyed && contained) {
      held_.clear();
      return silence_;
    }
    release();
    return out_;
  }
  /// The log has ended, or what comes from now on goes out.
  void release() {
    going_out_ = true;
    if (held_.empty()) return;
    std::move(held_.begin(), held_.end(), std::back_inserter(*out_.records));
    held_.clear();
  }

 private:
  const EngineOutput& out_;
  const SourceOffsets* published_;
  EngineOutput undecided_, silence_;
  std::vector<OutputBatch> held_;
  bool going_out_ = false;
};

// A record and its transaction's marker take two offsets, so that this is some transactions.
constexpr std::int64_t look_around = 16;

/// The records of a stretch of the journal, or of what is left of it while retention goes on. One
/// that does not decode is passed over: recovery reads it too and says what is wrong with it.
template <typename Take>
void look_at_journal(ReaderClient& client, ReadRange range, const Take& take) {
  range.what_is_left = true;
  PlainReader reader(client, range);
  while (!reader.done()) {
    const auto batch = reader.read(read_records_max, read_timeout_ms);
    for (const RawRecord& raw : batch->records) {
      const auto record = decode_journal(raw.value, nullptr);
      if (record && record->counts_at(raw.offset)) take(*record, raw.offset);
    }
  }
}

}  // namespace

Recovered LogRepeater::repeat(int partition, std::optional<RestoredLane> from,
                              const SourceOffsets* goal) {
  const std::string& topic = config.kafka.output(OutputTopic::journal);
  Recovered result;
  result.next.fill(offset_none);
  std::int64_t journal_from = log_beginning;
  if (from) {
    result.lane = std::move(from->lane);
    result.next = from->manifest.next;
    journal_from = from->manifest.journal_next;
    result.checkpoint = std::move(from->manifest);
  } else {
    result.lane = releases.engine().make_lane(partition);
    const std::int64_t begin = client.bounds(topic, partition).begin;
    if (begin > 0) {
      throw RunError(fmt::format(
          "recovery of partition {}: {} begins at offset {}, what was before is deleted, and there "
          "is no checkpoint to begin from; keep the inputs and the journal longer than checkpoints "
          "take to be made",
          partition, topic, begin));
    }
  }
  Lane& lane = *result.lane;
  RecordedFeed feed(config, intake, client, partition);
  Progress progress(partition, result.next, goal);
  std::uint64_t expected_hash = 0;
  Republished republished(out, published);
  result.journal_end = read_journal(client, topic, partition, journal_from,
                                    [&](const JournalRecord& record, std::int64_t offset) {
                                      if (is_contained(record, result.next)) return;
                                      check_not_torn(record, result.next);
                                      repeat_one(releases.engine_of(record.release, partition),
                                                 lane, feed, record, republished.output_of(record));
                                      if (after) after(record, offset, lane);
                                      for (std::size_t s = 0; s < source_count; ++s) {
                                        if (record.ranges[s].present)
                                          result.next[s] = record.ranges[s].next;
                                      }
                                      expected_hash = record.state_hash;
                                      ++result.transactions;
                                      crash_point("repeated");
                                      result.rows += record.counts.consumed();
                                      progress.report(result.rows);
                                    });
  republished.release();
  if (result.transactions > 0 && lane.state_hash() != expected_hash) {
    throw Diverged(fmt::format(
        "recovery of partition {}: the repeated state has hash {:016x}, the journal says "
        "{:016x}; the inputs or the settings of capacity changed since",
        partition, lane.state_hash(), expected_hash));
  }
  lane.journal = {};
  lane.journal_rows = 0;
  lane.merge.forget();
  return result;
}

std::optional<JournalPlace> place_in_journal(const CheckpointManifest& manifest,
                                             const ReaderClient::Bounds& bounds,
                                             ReaderClient& client, const std::string& journal) {
  ReadRange range{journal, manifest.partition, log_beginning,
                  std::min(bounds.stable_end, manifest.journal_next + look_around)};
  std::optional<JournalPlace> place;
  // Further back only where nothing but transactions that came to nothing lie before it.
  for (std::int64_t reach = look_around; !place; reach *= 8) {
    range.from = manifest.journal_next - reach;
    look_at_journal(client, range, [&](const JournalRecord& record, std::int64_t offset) {
      if (is_contained(record, manifest.next)) place = JournalPlace{offset, record.state_hash};
    });
    if (range.from <= bounds.begin) break;
  }
  return place;
}

std::string foreign_to_journal(const CheckpointManifest& manifest, ReaderClient& client,
                               const std::string& journal) {
  const auto bounds = client.settled_bounds(journal, manifest.partition);
  if (manifest.journal_next > bounds.stable_end) {
    return fmt::format("it goes on at offset {} of {}, which ends at {}", manifest.journal_next,
                       journal, bounds.stable_end);
  }
  // Deleted up to there: nothing to compare with, and what reads on will say what it lacks.
  if (manifest.journal_next < bounds.begin) return {};
  const auto place = place_in_journal(manifest, bounds, client, journal);
  if (!place || place->state_hash == manifest.state_hash) return {};
  return fmt::format(
      "its state has hash {:016x}, the journal has {:016x} where it stands: it is of "
      "another journal",
      manifest.state_hash, place->state_hash);
}

std::int64_t journal_behind(const SourceOffsets& next, int partition, ReaderClient& client,
                            const std::string& journal) {
  const auto bounds = client.settled_bounds(journal, partition);
  ReadRange range{journal, partition, log_beginning, bounds.stable_end};
  for (std::int64_t reach = look_around;; reach *= 8) {
    range.from = bounds.stable_end - reach;
    bool reached = range.from <= bounds.begin;
    std::int64_t behind = bounds.stable_end;
    look_at_journal(client, range, [&](const JournalRecord& record, std::int64_t offset) {
      const bool contained = is_contained(record, next);
      reached = reached || contained;
      if (contained) {
        behind = bounds.stable_end;
      } else {
        behind = std::min(behind, offset);
      }
    });
    if (reached) return behind;
  }
}

SourceOffsets committed_at_least(const Config& config, int partition, ReaderClient& client) {
  const std::string& journal = config.kafka.output(OutputTopic::journal);
  const auto bounds = client.settled_bounds(journal, partition);
  ReadRange range{journal, partition, log_beginning, bounds.stable_end};
  const bool ahead = config.kafka.delivery == Delivery::at_least_once;
  SourceOffsets next, before;
  int found = 0;
  for (std::int64_t reach = look_around; found < 2; reach *= 8) {
    found = 0;
    next.fill(offset_none);
    range.from = bounds.stable_end - reach;
    look_at_journal(client, range, [&](const JournalRecord& record, std::int64_t) {
      const SourceOffsets until_here = next;
      for (const Source source : keyed_sources) {
        const auto s = static_cast<std::size_t>(source);
        if (record.ranges[s].present) next[s] = record.ranges[s].next;
      }
      if (next == until_here) return;  // of control alone: it commits no offset
      before = until_here;
      ++found;
    });
    if (range.from <= bounds.begin) break;
  }
  if (found == 0) return next;
  return ahead ? before : next;
}

void check_reaches(const Config& config, const Recovered& recovered, int partition,
                   const SourceOffsets& committed) {
  for (const Source source : keyed_sources) {
    const auto s = static_cast<std::size_t>(source);
    // Outside a transaction the journal runs ahead: what it orders is published and committed next.
    const bool ahead = config.kafka.delivery == Delivery::at_least_once;
    // 0 goes with a transaction of control events alone: nothing of the source was taken.
    const auto there = std::max<std::int64_t>(committed[s], 0);
    const auto here = std::max<std::int64_t>(recovered.next[s], 0);
    if (there == here || (ahead && there < here)) continue;
    throw RunError(fmt::format(
        "recovery of partition {}: group {} has committed offset {} of {}, the journal ends at "
        "{}; the journal must be kept as long as the inputs, and a group must keep its journal",
        partition, config.kafka.group_id, committed[s], config.kafka.input(source),
        recovered.next[s]));
  }
}

}  // namespace tidemark
