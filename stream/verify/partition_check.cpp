// See partition_check.hpp.
#include "stream/verify/partition_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <numeric>
#include <string_view>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

std::int64_t version_of(std::string_view value) {
  constexpr std::string_view before = R"(","version":)";
  const std::size_t at = value.find(before);
  std::int64_t version = -1;
  if (at != std::string_view::npos) {
    value.remove_prefix(at + before.size());
    std::from_chars(value.data(), value.data() + value.size(), version);
  }
  return version;
}

}  // namespace

std::vector<int> partitions_of(const KafkaSettings& settings, const TopicShapes& shapes,
                               OutputTopic kind, int input_partition, int input_partitions) {
  const int count = shapes.at(settings.output(kind)).partitions;
  const bool letters = kind == OutputTopic::dead_letter || kind == OutputTopic::late;
  if (count == input_partitions && !letters) return {input_partition};
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

PartitionCheck::PartitionCheck(const Config& config, const VerifyOptions& options,
                               ReaderClient& client, const TopicShapes& shapes,
                               PartitionReport& report)
    : config_(config), options_(options), client_(client), shapes_(shapes), report_(report) {}

PartitionCheck::~PartitionCheck() = default;

std::string PartitionCheck::place(Source source, std::int64_t offset) const {
  return fmt::format("{} [{}] at offset {}", config_.kafka.input(source),
                     source == Source::control ? control_partition : report_.partition, offset);
}

void PartitionCheck::run() {
  const std::string& journal = config_.kafka.output(OutputTopic::journal);
  const std::int64_t begin = client_.bounds(journal, report_.partition).begin;
  if (begin > 0 && !options_.from) {
    throw RunError(
        fmt::format("{} [{}] begins at offset {}, what was before is deleted: give --from a later "
                    "offset, or --from checkpoint",
                    journal, report_.partition, begin));
  }
  const std::int64_t journal_end = find_beginnings(begin);
  std::int64_t seen = -1;
  read_journal(client_, journal, report_.partition, log_beginning,
               [&](const JournalRecord& record, std::int64_t at) {
                 if (past_end_ || at >= journal_end) return;
                 seen = at;
                 const bool whole = check_ranges(record, at);
                 if (is_selected(record, at) && whole) {
                   open();
                   walk(record, at);
                 } else if (opened_ && whole) {
                   past_end_ = true;
                 }
                 if (!whole || past_end_) return;
                 for (std::size_t s = 0; s < source_count; ++s) {
                   if (record.ranges[s].present) next_[s] = record.ranges[s].next;
                 }
               });
  // Behind a checkpoint there may be nothing yet.
  if (!opened_ && (options_.from || options_.to) && !options_.from_checkpoint) {
    throw RunError(
        fmt::format("{} [{}] has no transaction in the range", journal, report_.partition));
  }
  open();
  // Outputs whose transaction came while the logs were opened have a journal record by now.
  SourceOffsets cover = next_;
  read_journal(client_, journal, report_.partition, log_beginning,
               [&](const JournalRecord& record, std::int64_t at) {
                 if (at <= seen && !options_.to) return;
                 for (std::size_t s = 0; s < source_count; ++s) {
                   if (record.ranges[s].present)
                     cover[s] = std::max(cover[s], record.ranges[s].next);
                 }
               });
  for (OutputLog* log : {verdicts_.get(), limits_.get(), alerts_.get(), dead_.get(), late_.get()}) {
    log->drain(next_, cover, report_.violations);
    report_.repeated += log->repeated();
  }
  for (const Source source : keyed_sources) {
    auto& input = inputs_[static_cast<std::size_t>(source)];
    for (; input && input->peek() != nullptr; input->pop()) ++report_.undecided;
  }
}

/// Where each source stands before the first record that the journal still has; gives the journal's
/// end. Inputs that no transaction holds may lie before it, but not where retention has cut the
/// journal.
std::int64_t PartitionCheck::find_beginnings(std::int64_t journal_begin) {
  next_.fill(offset_none);
  const std::int64_t end =
      read_journal(client_, config_.kafka.output(OutputTopic::journal), report_.partition,
                   log_beginning, [&](const JournalRecord& record, std::int64_t) {
                     for (std::size_t s = 0; s < source_count; ++s) {
                       if (next_[s] == offset_none && record.ranges[s].present)
                         next_[s] = record.ranges[s].first;
                     }
                   });
  report_.start_deleted = journal_begin > 0;
  for (std::size_t s = 0; s < source_count; ++s) {
    const auto source = static_cast<Source>(s);
    if (config_.kafka.input(source).empty()) continue;
    const int partition = source == Source::control ? control_partition : report_.partition;
    const std::int64_t begin = client_.bounds(config_.kafka.input(source), partition).begin;
    if (next_[s] != offset_none && next_[s] < begin) report_.start_deleted = true;
    if (journal_begin > 0) continue;
    next_[s] = next_[s] == offset_none ? begin : std::min(next_[s], begin);
  }
  return end;
}

/// The logs are opened where the range begins, behind the journal's end: what it names is there.
void PartitionCheck::open() {
  if (opened_) return;
  opened_ = true;
  for (std::size_t s = 0; s < source_count; ++s) {
    const auto source = static_cast<Source>(s);
    const std::string& topic = config_.kafka.input(source);
    if (topic.empty() || next_[s] == offset_none) continue;
    const int partition = source == Source::control ? control_partition : report_.partition;
    inputs_[s] = std::make_unique<InputLog>(
        client_, ReadRange{topic, partition, next_[s], log_stable_end, source});
  }
  const int count = shapes_.at(config_.kafka.input(Source::payments)).partitions;
  SourceOffsets start = next_;
  // What the journal has no record of was decided before it begins.
  std::replace(start.begin(), start.end(), offset_none, INT64_MAX);
  const auto log = [&](OutputTopic kind) {
    return std::make_unique<OutputLog>(
        client_, config_.kafka, kind, report_.partition,
        partitions_of(config_.kafka, shapes_, kind, report_.partition, count), start);
  };
  verdicts_ = log(OutputTopic::verdicts);
  limits_ = log(OutputTopic::limits);
  alerts_ = log(OutputTopic::alerts);
  dead_ = log(OutputTopic::dead_letter);
  late_ = log(OutputTopic::late);
}

/// False for a transaction that holds records which an earlier one holds too.
bool PartitionCheck::check_ranges(const JournalRecord& record, std::int64_t at) {
  bool whole = true;
  for (std::size_t s = 0; s < source_count; ++s) {
    const JournalRange& range = record.ranges[s];
    if (!range.present) continue;
    if (range.first >= next_[s]) continue;
    whole = false;
    fail(Violation::journal_overlap,
         fmt::format("{} [{}] at offset {}: holds {} to {} of {}, but an earlier transaction "
                     "reaches to {}",
                     config_.kafka.output(OutputTopic::journal), report_.partition, at, range.first,
                     range.next - 1, config_.kafka.input_topics[s], next_[s] - 1));
  }
  return whole;
}

bool PartitionCheck::is_selected(const JournalRecord& record, std::int64_t at) const {
  const auto range_of = [&](const RangeEnd& end) -> const JournalRange& {
    return record.ranges[static_cast<std::size_t>(*end.source)];
  };
  const auto next_of = [&](const RangeEnd& end) {
    const JournalRange& range = range_of(end);
    return range.present ? range.next : next_[static_cast<std::size_t>(*end.source)];
  };
  if (options_.from) {
    const RangeEnd& from = *options_.from;
    if (from.source ? next_of(from) <= from.offset : at < from.offset) return false;
  }
  if (options_.to) {
    const RangeEnd& to = *options_.to;
    // The last transaction is the one that holds the offset.
    if (to.source ? next_[static_cast<std::size_t>(*to.source)] > to.offset : at > to.offset) {
      return false;
    }
  }
  return true;
}

void PartitionCheck::walk(const JournalRecord& record, std::int64_t at) {
  const std::string where = fmt::format(
      "{} [{}] at offset {}", config_.kafka.output(OutputTopic::journal), report_.partition, at);
  SourceOffsets next = next_;
  for (std::size_t s = 0; s < source_count; ++s) {
    if (record.ranges[s].present) next[s] = record.ranges[s].next;
  }
  verdicts_->fill(record, next, record.counts.scored, report_.violations);
  limits_->fill(record, next, 0, report_.violations);
  alerts_->fill(record, next, 0, report_.violations);
  dead_->fill(record, next, record.counts.dead_lettered, report_.violations);
  late_->fill(record, next, record.counts.late, report_.violations);
  counts_ = {};
  unlettered_control_ = 0;
  for (const JournalRun& run : record.runs) walk_run(record, run, where);
  next_ = next;
  check_rest(record);
  check_counts(record, at);
  if (report_.journal_first < 0) report_.journal_first = at;
  report_.journal_last = at;
  for (std::size_t i = 0; i < source_count; ++i) {
    const JournalRange& range = record.ranges[i];
    if (!range.present) continue;
    JournalRange& checked = report_.ranges[i];
    if (!checked.present) checked = range;
    checked.next = range.next;
  }
  report_.state_hash = record.state_hash;
  ++report_.transactions;
}

void PartitionCheck::walk_run(const JournalRecord& record, const JournalRun& run,
                              const std::string& where) {
  auto& input = inputs_[static_cast<std::size_t>(run.source)];
  const std::string& topic = config_.kafka.input(run.source);
  const std::int64_t first = record.ranges[static_cast<std::size_t>(run.source)].first;
  std::uint64_t left = run.count;
  const RawRecord* next = nullptr;
  while ((next = input->peek()) != nullptr && next->offset < run.next_offset) {
    if (next->offset < first) {
      fail(Violation::journal_gap,
           fmt::format("{}: no journal record holds it, so it has no outcome",
                       place(run.source, next->offset)));
    } else if (left == 0) {
      fail(Violation::journal_count,
           fmt::format("{}: {} counts {} records up to offset {}, this is one more",
                       place(run.source, next->offset), where, run.count, run.next_offset - 1));
    } else {
      --left;
      settle(record, *next);
    }
    input->pop();
  }
  if (left == 0) return;
  if (shapes_.at(topic).compacted) {
    throw RunError(fmt::format(
        "{}: {} of {} records up to offset {} that {} names are gone, as the topic is compacted",
        topic, left, run.count, run.next_offset - 1, where));
  }
  fail(Violation::journal_count,
       fmt::format("{} counts {} records of {} up to offset {}, of which {} are not there", where,
                   run.count, topic, run.next_offset - 1, left));
}

/// One input record: its outcomes are counted, and what it caused stands in order.
void PartitionCheck::settle(const JournalRecord& record, const RawRecord& input) {
  const auto s = static_cast<std::size_t>(input.source);
  const auto verdicts = verdicts_->take(input.source, input.offset);
  const auto dead = dead_->take(input.source, input.offset);
  const auto late = late_->take(input.source, input.offset);
  const bool duplicate =
      std::find(record.duplicates.begin(), record.duplicates.end(),
                JournalDuplicate{input.source, input.offset}) != record.duplicates.end();
  std::size_t outcomes = verdicts.size() + dead.size() + late.size() + (duplicate ? 1 : 0);
  OutcomeCounts& sum = report_.sources[s];
  ++sum.consumed;
  const bool scored = is_scored_source(input.source);
  if (outcomes == 0 && scored) {
    std::string cut;
    for (const OutputLog* log : {verdicts_.get(), dead_.get(), late_.get()}) {
      if (log->is_cut(cut)) {
        throw RunError(fmt::format("{}, so it cannot be said what became of {}", cut,
                                   place(input.source, input.offset)));
      }
    }
    fail(Violation::no_outcome,
         fmt::format("{}: has no outcome: no verdict in {}, no letter in {} or {}, and it is not "
                     "among the journal's duplicates",
                     place(input.source, input.offset), verdicts_->topic(), dead_->topic(),
                     late_->topic()));
  }
  std::string found;
  const auto note = [&](OutputLog& log, const std::vector<Output>& outputs) {
    for (const Output& output : outputs) {
      check_order(log, output, input);
      found += (found.empty() ? "" : ", ") + log.place(output);
      if (output.error.empty() && output.release != record.release) {
        fail(Violation::wrong_release,
             fmt::format("{}: names release {}, the journal {}", log.place(output), output.release,
                         record.release));
      }
    }
  };
  note(*verdicts_, verdicts);
  note(*dead_, dead);
  note(*late_, late);
  if (outcomes > 1) {
    fail(Violation::several_outcomes,
         fmt::format("{}: has {} outcomes: {}{}", place(input.source, input.offset), outcomes,
                     found, duplicate ? ", and the journal calls it a duplicate" : ""));
  }
  if (!scored && !verdicts.empty()) {
    fail(Violation::surplus_output,
         fmt::format("{}: a verdict of a record that is applied", found));
  }
  for (const Output& letter : dead) check_letter(*dead_, letter, input);
  for (const Output& letter : late) check_letter(*late_, letter, input);
  counts_.scored += verdicts.size();
  counts_.dead_lettered += dead.size();
  counts_.late += late.size();
  counts_.duplicate += duplicate ? 1 : 0;
  counts_.applied += !scored && outcomes == 0 ? 1 : 0;
  sum.scored += verdicts.size();
  sum.dead_lettered += dead.size();
  sum.late += late.size();
  sum.duplicate += duplicate ? 1 : 0;
  sum.applied += !scored && outcomes == 0 ? 1 : 0;
  // Every partition takes in all of control, and the first one publishes what is wrong with it.
  if (input.source == Source::control && report_.partition != 0) ++unlettered_control_;
  for (const Output& limit : limits_->take(input.source, input.offset)) {
    check_order(*limits_, limit, input);
    check_version(*limits_, limit);
    ++report_.limits;
  }
  for (const Output& alert : alerts_->take(input.source, input.offset)) {
    check_order(*alerts_, alert, input);
    ++report_.alerts;
  }
}

void PartitionCheck::check_letter(OutputLog& log, const Output& letter, const RawRecord& input) {
  const bool same = letter.value == input.value && letter.key == input.key &&
                    letter.null_key == (input.key.data() == nullptr) &&
                    letter.null_value == (input.value.data() == nullptr);
  if (same) return;
  fail(Violation::letter_bytes, fmt::format("{}: has other bytes than {}", log.place(letter),
                                            place(input.source, input.offset)));
}

void PartitionCheck::check_order(OutputLog& log, const Output& output, const RawRecord& input) {
  const auto [at, first] = last_.try_emplace({&log, output.partition}, output.offset);
  if (!first && output.offset < at->second) {
    fail(Violation::out_of_order,
         fmt::format("{}: out of order: it belongs to {}, which comes later than the record of "
                     "offset {}",
                     log.place(output), place(input.source, input.offset), at->second));
  }
  at->second = std::max(at->second, output.offset);
}

void PartitionCheck::check_version(OutputLog& log, const Output& limit) {
  const std::int64_t version = version_of(limit.value);
  const auto [known, first] = versions_.try_emplace(std::hash<std::string>()(limit.key), version);
  // Compaction takes the oldest ones of a merchant and leaves no gap behind what is left.
  const bool from_one = !options_.from && !shapes_.at(log.topic()).compacted;
  const std::int64_t expected = first ? (from_one ? 1 : version) : known->second + 1;
  if (version != expected || version < 1) {
    fail(Violation::limit_version, fmt::format("{}: version {} of a merchant's limit, expected {}",
                                               log.place(limit), version, expected));
  }
  known->second = version;
}

/// What names a record of the range and was not asked for.
void PartitionCheck::check_rest(const JournalRecord&) {
  for (OutputLog* log : {verdicts_.get(), limits_.get(), alerts_.get(), dead_.get(), late_.get()}) {
    for (const Output& output : log->take_rest(next_)) {
      fail(Violation::surplus_output,
           fmt::format("{}: once more for {}, or for a record that is not there",
                       log->place(output), place(output.source, output.input_offset)));
    }
  }
}

void PartitionCheck::check_counts(const JournalRecord& record, std::int64_t at) {
  JournalCounts expected = record.counts;
  // Where another partition has published control's letters, they count as applied here.
  const std::uint64_t elsewhere = expected.dead_lettered - counts_.dead_lettered;
  if (expected.dead_lettered > counts_.dead_lettered && elsewhere <= unlettered_control_) {
    expected.dead_lettered -= elsewhere;
    expected.applied += elsewhere;
  }
  if (expected == counts_) return;
  const auto text = [](const JournalCounts& c) {
    return fmt::format("{} scored, {} applied, {} dead-lettered, {} late, {} duplicate", c.scored,
                       c.applied, c.dead_lettered, c.late, c.duplicate);
  };
  fail(Violation::journal_count, fmt::format("{} [{}] at offset {}: counts {}; the topics hold {}",
                                             config_.kafka.output(OutputTopic::journal),
                                             report_.partition, at, text(expected), text(counts_)));
}

}  // namespace tidemark
