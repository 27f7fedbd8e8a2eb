// See recovery.hpp.
#include "stream/pipeline/recovery.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
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
constexpr auto progress_interval = std::chrono::seconds(5);

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

Recovered LogRepeater::repeat(Recovered from, const SourceOffsets* goal) {
  const std::string& topic = tools.config.kafka.output(OutputTopic::journal);
  const int partition = from.lane->partition();
  Progress progress(partition, from.next, goal);
  Republished republished(out, published);
  const std::int64_t begin = from.journal_end;
  LaneRepeater lane(tools, std::move(from));
  const auto take = [&](const JournalRecord& record, std::int64_t offset) {
    if (lane.has(record)) return;
    lane.repeat(record, offset, republished.output_of(record));
    if (after) after(record, offset, *lane.reached().lane);
    crash_point("repeated");
    progress.report(lane.reached().rows);
  };
  const std::int64_t journal_end = read_journal(tools.client, topic, partition, begin, take);
  republished.release();
  Recovered recovered = lane.take();
  recovered.journal_end = journal_end;
  return recovered;
}

std::optional<JournalPlace> place_in_journal(const CheckpointManifest& manifest,
                                             const ReaderClient::Bounds& bounds,
                                             ReaderClient& client, const std::string& journal) {
  if (manifest.journal_next > bounds.stable_end) {
    return JournalPlace{-1, fmt::format("it goes on at offset {} of {}, which ends at {}",
                                        manifest.journal_next, journal, bounds.stable_end)};
  }
  ReadRange range{journal, manifest.partition, log_beginning,
                  std::min(bounds.stable_end, manifest.journal_next + look_around)};
  std::optional<JournalPlace> place;
  std::uint64_t state_hash = 0;
  std::int64_t behind = range.until;  // the first record that it does not contain
  // Further back only where nothing but transactions that came to nothing lie before it.
  for (std::int64_t reach = look_around; !place; reach *= 8) {
    range.from = manifest.journal_next - reach;
    look_at_journal(client, range, [&](const JournalRecord& record, std::int64_t offset) {
      if (is_contained(record, manifest.next)) {
        place = JournalPlace{offset, {}};
        state_hash = record.state_hash;
      } else {
        behind = std::min(behind, offset);
      }
    });
    if (range.from <= bounds.begin) break;
  }
  if (!place) return place;
  if (state_hash != manifest.state_hash) {
    place->why_not = fmt::format("its state has hash {:016x}, {} has {:016x} where it stands",
                                 manifest.state_hash, journal, state_hash);
  } else if (manifest.journal_next <= place->offset || manifest.journal_next > behind) {
    place->why_not = fmt::format("it goes on at offset {} of {}, where it stands at {}",
                                 manifest.journal_next, journal, place->offset);
  }
  return place;
}

std::string foreign_to_journal(const CheckpointManifest& manifest, ReaderClient& client,
                               const std::string& journal) {
  const auto bounds = client.settled_bounds(journal, manifest.partition);
  // Deleted up to there: nothing to compare with, and what reads on will say what it lacks.
  if (manifest.journal_next < bounds.begin) return {};
  const auto place = place_in_journal(manifest, bounds, client, journal);
  if (!place || place->why_not.empty()) return {};
  return place->why_not + ": it is of another journal";
}

std::optional<RestoredLane> restore_of_journal(const RepeatTools& tools,
                                               const CheckpointStore& store, int partition,
                                               const SourceOffsets& committed, ThreadPool& pool) {
  const auto foreign = [&](const CheckpointManifest& manifest) {
    return foreign_to_journal(manifest, tools.client,
                              tools.config.kafka.output(OutputTopic::journal));
  };
  const auto make_lane = [&] { return tools.releases.engine().make_lane(partition); };
  return restore_newest(store, {tools.config, *tools.releases.current().plan, committed, foreign},
                        partition, make_lane, pool);
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
