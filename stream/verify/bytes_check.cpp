// See bytes_check.hpp.
#include "stream/verify/bytes_check.hpp"

#include <fmt/format.h>

#include <deque>
#include <string_view>

#include "kernels/base/failure.hpp"
#include "stream/pipeline/recovery.hpp"

namespace tidemark {
namespace {

constexpr std::array<OutputTopic, 5> compared = {OutputTopic::verdicts, OutputTopic::limits,
                                                 OutputTopic::alerts, OutputTopic::dead_letter,
                                                 OutputTopic::late};

/// One partition's published outputs beside those of the replay.
class BytesCheck {
 public:
  BytesCheck(const Config& config, const TopicShapes& shapes, ReaderClient& client,
             PartitionReport& report, const SourceOffsets& next)
      : config_(config), shapes_(shapes), client_(client), report_(report), next_(next) {}

  /// Behind the last transaction: a key whose newest record is gone was not compacted.
  void finish() {
    for (const auto& [key, value] : gone_) {
      report_.violations.add(
          Violation::output_missing,
          fmt::format("{}: a replay gives as the newest of key {} what is not there: {:.300}",
                      config_.kafka.output(OutputTopic::limits), key, value));
    }
  }

  void transaction(const JournalRecord& record, std::int64_t at, Lane& lane,
                   std::vector<OutputBatch>& replayed) {
    const bool of_the_range = at >= report_.journal_first;
    if (of_the_range && logs_.empty()) open();
    for (std::size_t s = 0; s < source_count; ++s) {
      if (record.ranges[s].present) next_[s] = record.ranges[s].next;
    }
    if (!of_the_range) return replayed.clear();
    for (std::size_t t = 0; t < compared.size(); ++t) compare(record, t, replayed);
    replayed.clear();
    if (lane.state_hash() != record.state_hash) {
      report_.violations.add(
          Violation::state_hash,
          fmt::format("{} [{}] at offset {}: state hash {:016x}, a replay gives {:016x}",
                      config_.kafka.output(OutputTopic::journal), report_.partition, at,
                      record.state_hash, lane.state_hash()));
    }
  }

 private:
  void open() {
    const int count = shapes_.at(config_.kafka.input(Source::payments)).partitions;
    for (const OutputTopic kind : compared) {
      logs_.emplace_back(client_, config_.kafka, kind, report_.partition,
                         partitions_of(config_.kafka, shapes_, kind, report_.partition, count),
                         next_);
    }
  }

  /// What the transaction published in one topic: both sides name the same input records, and for
  /// each the same keys and values in the same order.
  void compare(const JournalRecord& record, std::size_t t,
               const std::vector<OutputBatch>& replayed) {
    std::size_t expected = 0;
    for (const OutputBatch& batch : replayed) {
      for (const OutputRecord& one : batch.records) expected += one.topic == compared[t] ? 1 : 0;
    }
    OutputLog& log = logs_[t];
    Violations of_the_first_pass;  // what names no input has been reported there
    log.fill(record, next_, expected, of_the_first_pass);
    std::multimap<std::string, Output> published;  // by key, in the order of the log
    for (Output& output : log.take_rest(next_)) {
      std::string key = output.key;
      published.emplace(std::move(key), std::move(output));
    }
    for (const OutputBatch& batch : replayed) {
      for (const OutputRecord& one : batch.records) {
        if (one.topic == compared[t]) match(log, batch, one, published);
      }
    }
    for (const auto& [key, output] : published) {
      report_.violations.add(Violation::surplus_output,
                             fmt::format("{}: a replay does not give it", log.place(output)));
    }
  }

  void match(const OutputLog& log, const OutputBatch& batch, const OutputRecord& one,
             std::multimap<std::string, Output>& published) {
    const std::string key(batch.key(one));
    const auto [first, last] = published.equal_range(key);
    // The same bytes where they are; else, for the message, the first one of that key.
    auto found = first;
    while (found != last && !is_same(found->second, batch, one)) ++found;
    ++report_.bytes_compared;
    if (found != last) {
      published.erase(found);
      if (shapes_.at(log.topic()).compacted) gone_.erase(key);
      return;
    }
    const std::string value(batch.value(one));
    if (first == last) {
      // Compaction takes out older limits of a merchant but never the newest: see finish().
      if (shapes_.at(log.topic()).compacted) {
        gone_[key] = value;
        --report_.bytes_compared;
        return;
      }
      std::string cut;
      if (log.is_cut(cut)) {
        throw RunError(
            fmt::format("{}, so it cannot be said whether this was there: {:.300}", cut, value));
      }
      report_.violations.add(Violation::output_missing,
                             fmt::format("{}: a replay gives for key {} what is not there: {:.300}",
                                         log.topic(), key, value));
      return;
    }
    report_.violations.add(
        Violation::output_bytes,
        fmt::format("{}: other bytes than a replay gives: {:.600}; expected {:.600}",
                    log.place(first->second), first->second.value, value));
    published.erase(first);
  }

  static bool is_same(const Output& output, const OutputBatch& batch, const OutputRecord& one) {
    if (output.value != batch.value(one)) return false;
    if (one.letter < 0) return true;
    const LetterHeaders& headers = batch.letters[static_cast<std::size_t>(one.letter)];
    return output.source == headers.source && output.input_offset == headers.offset &&
           output.error == headers.error && output.message == headers.message;
  }

  const Config& config_;
  const TopicShapes& shapes_;
  ReaderClient& client_;
  PartitionReport& report_;
  SourceOffsets next_;                       // where each source stands
  std::deque<OutputLog> logs_;               // by `compared`
  std::map<std::string, std::string> gone_;  // newest record by key, where it was not found
};

}  // namespace

void check_bytes(const Config& config, const TopicShapes& shapes, bool at_checkpoint,
                 std::vector<PartitionReport>& reports) {
  const int count = shapes.at(config.kafka.input(Source::payments)).partitions;
  ThreadPool pool(config.threads);
  ReleaseSet releases(config, resolve_backend(config.backend), Provenance::kafka_topics, pool);
  Intake intake(config, pool, count);
  std::optional<StartingPoints> points;
  for (PartitionReport& report : reports) {
    ReaderClient replays(config.kafka), outputs(config.kafka);
    std::optional<RestoredLane> from;
    if (at_checkpoint || report.start_deleted) {
      const std::int64_t until = report.journal_first < 0 ? INT64_MAX : report.journal_first;
      if (!points) points.emplace(config);
      from = points->restore(report.partition, until, releases, pool);
      report.replayed_from = from->manifest.generation;
    }
    BytesCheck check(config, shapes, outputs, report, from ? from->manifest.next : SourceOffsets{});
    std::vector<OutputBatch> records;
    EngineOutput out;
    out.records = &records;
    try {
      const auto compare = [&](const JournalRecord& record, std::int64_t at, Lane& lane) {
        check.transaction(record, at, lane, records);
      };
      const RepeatTools tools{config, releases, intake, replays};
      LogRepeater log{tools, out, compare};
      log.repeat(begin_lane(tools, report.partition, std::move(from)), nullptr);
      check.finish();
    } catch (const Diverged& diverged) {
      report.violations.add(Violation::journal_not_given, diverged.what());
    }
  }
}

}  // namespace tidemark
