// See replay.hpp.
#include "stream/pipeline/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "kernels/base/failure.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "stream/pipeline/engine.hpp"
#include "stream/pipeline/file_sink.hpp"
#include "stream/pipeline/intake.hpp"
#include "stream/pipeline/recovery.hpp"
#include "stream/source/file_source.hpp"

namespace tidemark {
namespace {

constexpr std::size_t read_records_max = 16'384;  // lines of one source read at a time

/// The files of a replay, feeding one lane.
class FileFeed {
 public:
  FileFeed(const Config& config, const ReplayOptions& options, Intake& intake) : intake_(intake) {
    FileSourceOptions lines;
    // A line that the parser would take must reach it whole.
    lines.line_bytes_max = std::max(lines.line_bytes_max, config.value_bytes_max);
    for (std::size_t s = 0; s < source_count; ++s) {
      if (!options.inputs[s]) continue;
      files_[s] = std::make_unique<FileSource>(static_cast<Source>(s), *options.inputs[s],
                                               options.now_ms, lines);
    }
  }

  void open(Lane& lane) const {
    for (std::size_t s = 0; s < source_count; ++s) {
      lane.merge.set_state(static_cast<Source>(s),
                           files_[s] ? SourceState::catching_up : SourceState::closed);
    }
  }

  /// Gives every source that ran empty its next rows. False when all files have ended.
  bool refill(Lane& lane) {
    bool more = false;
    for (std::size_t s = 0; s < source_count; ++s) {
      const auto source = static_cast<Source>(s);
      if (!files_[s] || lane.merge.queued(source) > 0) continue;
      if (const auto raw = files_[s]->read(read_records_max)) {
        lane.merge.push(source, intake_.parse(raw, 0, raw->records.size()), MonotonicTime());
        more = true;
      } else {
        files_[s].reset();
        lane.merge.set_state(source, SourceState::closed);
      }
    }
    return more;
  }

 private:
  Intake& intake_;
  std::array<std::unique_ptr<FileSource>, source_count> files_;
};

/// What both ways of replaying share: the engine and where its output goes.
struct Run {
  Run(const Config& config, const ReplayOptions& options, Provenance provenance, int partitions)
      : backend(resolve_backend(config.backend)),
        pool(config.threads),
        releases(config, backend, provenance, pool),
        intake(config, pool, partitions) {
    out.before = options.watch;
    if (options.out.empty()) return;
    sink.emplace(options.out);
    if (options.rows) rows.emplace(*options.rows, *releases.current().plan);
    if (!releases.current().policy && !rows && !options.watch) {
      throw UsageError(config.file +
                       ": bundle: empty, so there is nothing to decide with; only "
                       "--rows works without a bundle");
    }
    releases.encode_documents(records.emplace_back());
    out.records = &records;
    if (!rows) return;
    out.rows = [this](const EventBatch& events, std::span<const std::uint32_t> matrix_row,
                      const FeatureMatrix& matrix) { rows->write(events, matrix_row, matrix); };
  }

  void flush() {
    for (const OutputBatch& batch : records) sink->write(batch);
    records.clear();
  }

  /// Adds a finished lane to the summary.
  void take(Lane& lane) {
    check_identity(lane.counts, lane.partition());
    for (const Source source : keyed_sources) {
      const auto s = static_cast<std::size_t>(source);
      summary.sources[s].add(lane.counts[s]);
    }
    // Every lane takes in all of control: it is counted once.
    constexpr auto control = static_cast<std::size_t>(Source::control);
    summary.sources[control] = lane.counts[control];
    summary.merchants += lane.table.size();
    summary.state_hash += lane.state_hash();
  }

  ReplaySummary finish(const std::filesystem::path& folder,
                       std::chrono::steady_clock::time_point start) {
    flush();
    if (sink) sink->close();
    if (rows) rows->close(releases.current().release.fingerprint);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    for (const OutcomeCounts& counts : summary.sources) summary.total.add(counts);
    summary.spec = releases.current().plan->fingerprint();
    summary.release = releases.current().release.fingerprint;
    summary.backend = name_of(backend);
    summary.seconds = took.count();
    summary.events_per_s = static_cast<double>(summary.total.consumed) / took.count();
    if (!sink) return summary;
    OutputFile file(folder / "summary.json");
    file.write(to_json(summary) + "\n");
    file.close();
    return summary;
  }

  Backend backend;
  ThreadPool pool;
  ReleaseSet releases;
  Intake intake;
  std::optional<FileSink> sink;
  std::optional<RowsWriter> rows;
  std::vector<OutputBatch> records;
  EngineOutput out;
  ReplaySummary summary;
};

ReplaySummary replay_files(const Config& config, const ReplayOptions& options) {
  Run run(config, options, Provenance::source_names, 0);
  const auto lane = run.releases.engine().make_lane(0);
  FileFeed feed(config, options, run.intake);
  const auto start = std::chrono::steady_clock::now();
  feed.open(*lane);
  while (true) {
    const bool stepped = run.releases.engine().step(*lane, MonotonicTime(), run.out);
    run.flush();
    lane->journal = {};  // files have one order, there is nothing to note
    lane->journal_rows = 0;
    if (!stepped && !feed.refill(*lane) && lane->merge.empty()) break;
  }
  run.take(*lane);
  return run.finish(options.out, start);
}

ReplaySummary replay_topics(const Config& config, const ReplayOptions& options) {
  const TopicCheck topics = check_topics(config.kafka);
  std::vector<int> partitions = options.partitions;
  if (partitions.empty()) {
    partitions.resize(static_cast<std::size_t>(topics.partitions));
    std::iota(partitions.begin(), partitions.end(), 0);
  }
  Run run(config, options, Provenance::kafka_topics, topics.partitions);
  ReaderClient client(config.kafka);
  const RepeatTools tools{config, run.releases, run.intake, client};
  LogRepeater log{tools, run.out,
                  [&run](const JournalRecord&, std::int64_t, Lane&) { run.flush(); }};
  const auto start = std::chrono::steady_clock::now();
  for (const int partition : partitions) {
    if (partition < 0 || partition >= topics.partitions) {
      throw UsageError(fmt::format("--partition {}: the topics have partitions 0 to {}", partition,
                                   topics.partitions - 1));
    }
    const Recovered repeated = log.repeat(begin_lane(tools, partition, std::nullopt), nullptr);
    run.take(*repeated.lane);
  }
  return run.finish(options.out, start);
}

}  // namespace

std::string to_json(const ReplaySummary& summary) {
  return fmt::format(
      R"({{{},"merchants":{},"state_hash":"{:016x}","spec":"{}","release":"{}","backend":"{}",)"
      R"("seconds":{:.3f},"events_per_s":{:.0f}}})",
      counts_json(summary.sources), summary.merchants, summary.state_hash, summary.spec,
      summary.release, summary.backend, summary.seconds, summary.events_per_s);
}

ReplaySummary replay(const Config& config, const ReplayOptions& options) {
  return options.kafka ? replay_topics(config, options) : replay_files(config, options);
}

}  // namespace tidemark
