// See replay.hpp.
#include "stream/pipeline/replay.hpp"

#include <fmt/format.h>

#include <chrono>

#include "kernels/base/failure.hpp"
#include "stream/pipeline/engine.hpp"
#include "stream/pipeline/file_sink.hpp"
#include "stream/pipeline/intake.hpp"
#include "stream/pipeline/rows_writer.hpp"
#include "stream/source/file_source.hpp"

namespace tidemark {
namespace {

constexpr std::size_t read_records_max = 16'384;  // lines of one source read at a time

/// The files of a replay, feeding one lane.
class FileFeed {
 public:
  FileFeed(const ReplayOptions& options, Intake& intake) : intake_(intake) {
    for (std::size_t s = 0; s < source_count; ++s) {
      if (!options.inputs[s]) continue;
      files_[s] =
          std::make_unique<FileSource>(static_cast<Source>(s), *options.inputs[s], options.now_ms);
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

ReplaySummary summarise(Lane& lane, const LoadedRelease& release, Backend backend, double seconds) {
  ReplaySummary summary;
  summary.sources = lane.counts;
  for (const OutcomeCounts& counts : lane.counts) summary.total.add(counts);
  summary.merchants = lane.table.size();
  summary.state_hash = lane.state_hash();
  summary.spec = release.plan->fingerprint();
  summary.release = release.release.fingerprint;
  summary.backend = name_of(backend);
  summary.seconds = seconds;
  summary.events_per_s = seconds > 0 ? static_cast<double>(summary.total.consumed) / seconds : 0;
  return summary;
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
  const Backend backend = resolve_backend(config.backend);
  const auto release = load_release(config, backend, Provenance::source_names);
  if (!release->policy && !options.rows) {
    throw UsageError(config.file +
                     ": bundle: empty, so there is nothing to decide with; only "
                     "--rows works without a bundle");
  }
  ThreadPool pool(config.threads);
  Engine engine(config, *release, backend, pool);
  Intake intake(config, pool, 0);
  const auto lane = engine.make_lane(0);
  FileFeed feed(options, intake);
  FileSink sink(options.out);
  std::optional<RowsWriter> rows;
  if (options.rows) rows.emplace(*options.rows, *release->plan);

  std::vector<OutputBatch> records;
  if (release->policy) {
    encode_release(release->release.fingerprint, release->release.document, records.emplace_back());
  }
  EngineOutput out;
  out.records = &records;
  if (rows) {
    out.rows = [&](const EventBatch& events, std::span<const std::uint32_t> matrix_row,
                   const FeatureMatrix& matrix) { rows->write(events, matrix_row, matrix); };
  }

  const auto start = std::chrono::steady_clock::now();
  feed.open(*lane);
  while (true) {
    const bool stepped = engine.step(*lane, MonotonicTime(), out);
    for (const OutputBatch& batch : records) sink.write(batch);
    records.clear();
    lane->journal = {};  // a replay of files has no transactions to describe
    lane->journal_rows = 0;
    if (!stepped && !feed.refill(*lane) && lane->merge.empty()) break;
  }
  check_identity(lane->counts, lane->partition());
  sink.close();
  if (rows) rows->close();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const ReplaySummary summary = summarise(*lane, *release, backend, took.count());
  OutputFile file(options.out / "summary.json");
  file.write(to_json(summary) + "\n");
  file.close();
  return summary;
}

}  // namespace tidemark
