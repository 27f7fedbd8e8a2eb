// Reading the journal back, and showing a record to people.
#include "stream/kafka/journal.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "kernels/base/failure.hpp"

namespace tidemark {

namespace {

constexpr std::size_t read_records = 1000;
constexpr int read_timeout_ms = 200;

/// `items` as a JSON list, each written by `item`.
template <typename Items, typename Item>
void put_list(std::string& out, const char* name, const Items& items, Item item) {
  out += fmt::format(",\"{}\":[", name);
  const char* comma = "";
  for (const auto& one : items) {
    out += comma;
    item(one);
    comma = ",";
  }
  out += ']';
}

}  // namespace

/// Names of sources and hex releases need no escaping.
std::string to_json(const JournalRecord& record) {
  std::string out = fmt::format(R"({{"partition":{},"release":"{}","ranges":{{)", record.partition,
                                record.release);
  const char* comma = "";
  for (int i = 0; i < source_count; ++i) {
    const JournalRange& range = record.ranges[static_cast<std::size_t>(i)];
    if (!range.present) continue;
    out += fmt::format(R"({}"{}":[{},{}])", comma, name_of(static_cast<Source>(i)), range.first,
                       range.next);
    comma = ",";
  }
  out += '}';
  const auto to = std::back_inserter(out);
  put_list(out, "runs", record.runs, [&](const JournalRun& run) {
    fmt::format_to(to, R"(["{}",{},{}])", name_of(run.source), run.count, run.next_offset);
  });
  put_list(out, "ticks", record.ticks, [&](const JournalTick& tick) {
    fmt::format_to(to, "[{},{}]", tick.position, tick.tick_ms);
  });
  put_list(out, "controls", record.controls, [&](const JournalControl& control) {
    fmt::format_to(to, "[{},{}]", control.position, control.offset);
  });
  const JournalCounts& counts = record.counts;
  fmt::format_to(to,
                 R"(,"counts":{{"consumed":{},"scored":{},"applied":{},"dead_lettered":{},)"
                 R"("late":{},"duplicate":{}}})",
                 counts.consumed(), counts.scored, counts.applied, counts.dead_lettered,
                 counts.late, counts.duplicate);
  put_list(out, "duplicates", record.duplicates, [&](const JournalDuplicate& duplicate) {
    fmt::format_to(to, R"(["{}",{}])", name_of(duplicate.source), duplicate.offset);
  });
  if (record.expected_offset >= 0) {
    fmt::format_to(to, R"(,"expected_offset":{})", record.expected_offset);
  }
  fmt::format_to(to, R"(,"state_hash":"{:016x}"}})", record.state_hash);
  return out;
}

std::optional<JournalRecord> journal_record(const RawRecord& raw, const std::string& topic) {
  std::string why;
  auto record = decode_journal(raw.value, &why);
  if (record && record->partition != raw.partition) why = "written for another partition";
  if (!record || !why.empty()) {
    throw RunError(fmt::format("{} [{}] at offset {}: not a journal record: {}", topic,
                               raw.partition, raw.offset, why));
  }
  if (!record->counts_at(raw.offset)) return std::nullopt;
  return record;
}

std::int64_t read_journal(
    ReaderClient& client, const std::string& topic, int partition, std::int64_t from,
    const std::function<void(const JournalRecord&, std::int64_t offset)>& take) {
  ReadRange range;
  range.topic = topic;
  range.partition = partition;
  range.from = from;
  range.until = client.settled_bounds(topic, partition).stable_end;
  PlainReader reader(client, range);
  while (!reader.done()) {
    const auto batch = reader.read(read_records, read_timeout_ms);
    for (const RawRecord& raw : batch->records) {
      const auto record = journal_record(raw, topic);
      if (record) take(*record, raw.offset);
    }
  }
  return range.until;
}

void read_journal(const KafkaSettings& settings, int partition,
                  const std::function<void(const JournalRecord&, std::int64_t offset)>& take) {
  ReaderClient client(settings);
  read_journal(client, settings.output(OutputTopic::journal), partition, log_beginning, take);
}

}  // namespace tidemark
