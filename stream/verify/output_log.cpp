// See output_log.hpp.
#include "stream/verify/output_log.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

constexpr std::size_t read_records_max = 1'000;
constexpr std::size_t ahead_max = 4'000;  // outputs read ahead to find one that is out of place
constexpr int read_timeout_ms = 200;

/// Takes a number from the front of `text`, and what follows it.
bool eat(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

template <typename Number>
bool eat_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool find_source(const KafkaSettings& settings, std::string_view topic, Source& source) {
  for (std::size_t s = 0; s < source_count; ++s) {
    if (settings.input_topics[s] != topic) continue;
    source = static_cast<Source>(s);
    return true;
  }
  return false;
}

const std::string* header(const RecordHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

/// Of all that a reader sees of it but its place: a letter without a key may lie anywhere.
std::uint64_t hash_of(const Output& output) {
  const std::int64_t numbers[] = {static_cast<std::int64_t>(output.source), output.input_offset,
                                  output.null_key, output.null_value};
  std::uint64_t hash = XXH3_64bits(numbers, sizeof numbers);
  for (const std::string* text : {&output.key, &output.value, &output.error, &output.message}) {
    hash = XXH3_64bits_withSeed(text->data(), text->size(), hash);
  }
  return hash;
}

}  // namespace

OutputLog::OutputLog(ReaderClient& client, const KafkaSettings& settings, OutputTopic kind,
                     int input_partition, const std::vector<int>& partitions,
                     const SourceOffsets& start)
    : settings_(settings),
      topic_(settings.output(kind)),
      letters_(kind == OutputTopic::dead_letter || kind == OutputTopic::late),
      input_partition_(input_partition),
      alone_(partitions.size() == 1 && !letters_),
      start_(start) {
  for (const int partition : partitions) {
    const auto bounds = client.settled_bounds(topic_, partition);
    ReadRange range{topic_, partition, log_beginning, bounds.stable_end};
    range.headers = letters_;
    Stream& stream =
        streams_.emplace_back(Stream{partition, bounds.begin, PlainReader(client, range)});
    stream.last.fill(INT64_MIN);
  }
}

std::string OutputLog::place(const Output& output) const {
  return fmt::format("{} [{}] at offset {}", topic_, output.partition, output.offset);
}

/// Decisions end in their provenance, in a fixed order and without spaces.
bool OutputLog::decode_decision(const RawRecord& raw, Output& output) const {
  const std::size_t at = raw.value.rfind(R"("provenance":{"topic":")");
  if (at == std::string_view::npos) return false;
  std::string_view rest = raw.value.substr(at);
  eat(rest, R"("provenance":{"topic":")");
  const std::string_view topic = rest.substr(0, rest.find('"'));
  rest.remove_prefix(topic.size());
  int partition = 0;
  if (!eat(rest, R"(","partition":)") || !eat_number(rest, partition) ||
      !eat(rest, R"(,"offset":)") || !eat_number(rest, output.input_offset) ||
      !eat(rest, R"(,"release":")") || !rest.ends_with("\"}}")) {
    return false;
  }
  output.release = rest.substr(0, rest.size() - 3);
  if (!find_source(settings_, topic, output.source)) return false;
  // Control has one partition; what it causes lies where the merchant does.
  return output.source == Source::control || partition == input_partition_ || !alone_;
}

bool OutputLog::decode(const RawRecord& raw, const RecordHeaders* headers, Output& output) const {
  output.partition = raw.partition;
  output.offset = raw.offset;
  output.key = raw.key;
  output.value = raw.value;
  output.null_key = raw.key.data() == nullptr;
  output.null_value = raw.value.data() == nullptr;
  if (headers == nullptr) return decode_decision(raw, output);
  const std::string* const topic = header(*headers, "topic");
  const std::string* const offset = header(*headers, "offset");
  const std::string* const error = header(*headers, "error");
  const std::string* const message = header(*headers, "message");
  if (topic == nullptr || offset == nullptr || error == nullptr || message == nullptr) return false;
  std::string_view number = *offset;
  output.error = *error;
  output.message = *message;
  return find_source(settings_, *topic, output.source) && eat_number(number, output.input_offset) &&
         number.empty();
}

void OutputLog::read(Stream& stream, Violations& violations) {
  const auto batch = stream.reader.read(read_records_max, read_timeout_ms);
  for (std::size_t i = 0; i < batch->records.size(); ++i) {
    const RawRecord& raw = batch->records[i];
    const RecordHeaders* const headers = letters_ ? &stream.reader.headers()[i] : nullptr;
    int partition = input_partition_;
    if (letters_) {
      // Letters of all input partitions stand side by side: a letter keeps its record's key.
      const std::string* const text = header(*headers, "partition");
      std::string_view number = text == nullptr ? std::string_view() : std::string_view(*text);
      if (text != nullptr && eat_number(number, partition) && partition != input_partition_) {
        continue;
      }
    }
    Output output;
    if (!decode(raw, headers, output)) {
      violations.add(Violation::foreign_output,
                     fmt::format("{} [{}] at offset {}: names no input record of this deployment",
                                 topic_, raw.partition, raw.offset));
      continue;
    }
    if (settings_.delivery == Delivery::at_least_once && repeats_.is_repeat(hash_of(output))) {
      continue;
    }
    const auto s = static_cast<std::size_t>(output.source);
    if (output.input_offset < start_[s]) {
      stream.anchored = true;
      continue;
    }
    stream.last.fill(INT64_MIN);
    stream.last[s] = output.input_offset;
    held_.emplace(Place{output.source, output.input_offset}, std::move(output));
  }
}

std::size_t OutputLog::held_of(const JournalRecord& record) const {
  std::size_t count = 0;
  for (std::size_t s = 0; s < source_count; ++s) {
    const JournalRange& range = record.ranges[s];
    if (!range.present) continue;
    const auto source = static_cast<Source>(s);
    count += static_cast<std::size_t>(std::distance(held_.lower_bound({source, range.first}),
                                                    held_.lower_bound({source, range.next})));
  }
  return count;
}

void OutputLog::fill(const JournalRecord& record, const SourceOffsets& next, std::size_t wanted,
                     Violations& violations) {
  for (Stream& stream : streams_) {
    while (!stream.reader.done()) {
      bool passed = false;  // the stream's last output belongs to a later transaction
      for (std::size_t s = 0; s < source_count; ++s) passed |= stream.last[s] >= next[s];
      if (passed) {
        const std::size_t mine = held_of(record);
        if (mine >= wanted || held_.size() - mine > ahead_max) break;
      }
      read(stream, violations);
    }
  }
}

std::vector<Output> OutputLog::take(Source source, std::int64_t input_offset) {
  std::vector<Output> taken;
  const auto [first, last] = held_.equal_range({source, input_offset});
  for (auto at = first; at != last; ++at) taken.push_back(std::move(at->second));
  held_.erase(first, last);
  return taken;
}

std::vector<Output> OutputLog::take_rest(const SourceOffsets& next) {
  std::vector<Output> taken;
  for (std::size_t s = 0; s < source_count; ++s) {
    const auto source = static_cast<Source>(s);
    const auto first = held_.lower_bound({source, INT64_MIN});
    const auto last = held_.lower_bound({source, next[s]});
    for (auto at = first; at != last; ++at) taken.push_back(std::move(at->second));
    held_.erase(first, last);
  }
  return taken;
}

void OutputLog::drain(const SourceOffsets& next, const SourceOffsets& cover,
                      Violations& violations) {
  const auto judge = [&] {
    for (const auto& [where, output] : held_) {
      const auto s = static_cast<std::size_t>(where.first);
      if (where.second >= next[s] && where.second < cover[s]) continue;  // of a later transaction
      violations.add(Violation::surplus_output,
                     fmt::format("{}: names {} at offset {}, {}", place(output),
                                 settings_.input_topics[s], where.second,
                                 where.second < next[s] ? "which has its outcome already"
                                                        : "which no journal record holds"));
    }
    held_.clear();
  };
  judge();
  for (Stream& stream : streams_) {
    while (!stream.reader.done()) {
      read(stream, violations);
      judge();
    }
  }
}

bool OutputLog::is_cut(std::string& where) const {
  for (const Stream& stream : streams_) {
    if (stream.begin == 0 || stream.anchored) continue;
    where = fmt::format("{} [{}] begins at offset {}", topic_, stream.partition, stream.begin);
    return true;
  }
  return false;
}

}  // namespace tidemark
