// OutputBatch: encoded output records on their way to a sink, Kafka or files. Owned by one engine
// batch; the sink reads it. Holds bytes and coordinates, knows neither Kafka nor JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/event.hpp"

namespace tidemark {

enum class OutputTopic : std::uint8_t {
  verdicts,
  limits,
  alerts,
  shadow,
  releases,
  dead_letter,
  late,
  journal
};
inline constexpr int output_topic_count = 8;
std::string_view name_of(OutputTopic topic);  // "verdicts", ..., "dead-letter", "late", "journal"

/// Coordinates of the input record behind a dead letter or late record: its Kafka headers.
struct LetterHeaders {
  std::string error;    // name_of(RowError), or "late"
  std::string message;  // names the field
  Source source = Source::payments;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

/// What goes along with an input record that is handed on: its time and headers.
struct PassedOn {
  std::int64_t time_ms = 0;                            // the record's timestamp
  std::uint64_t headers_begin = 0, headers_bytes = 0;  // of OutputBatch::bytes, packed
};

inline constexpr std::int32_t any_partition = -1;  // the topic's partitioner chooses by key

/// One record. Key and value are ranges of OutputBatch::bytes.
struct OutputRecord {
  std::uint64_t value_begin = 0;
  std::uint32_t value_bytes = 0, key_bytes = 0;
  std::uint64_t key_begin = 0;
  std::int32_t partition = any_partition;
  std::int32_t passed_on = -1;        // index into OutputBatch::passed_on, or -1
  std::int64_t expected_offset = -1;  // of a journal record: where it has to come to lie, or -1
  std::int32_t letter = -1;           // index into OutputBatch::letters, or -1
  OutputTopic topic = OutputTopic::verdicts;
  bool null_key = false, null_value = false;
};

static_assert(sizeof(OutputRecord) == 48);

class OutputBatch {
 public:
  std::string bytes;
  std::vector<OutputRecord> records;  // in sequence order
  std::vector<LetterHeaders> letters;
  std::vector<PassedOn> passed_on;

  std::string_view key(const OutputRecord& r) const {
    return {bytes.data() + r.key_begin, r.key_bytes};
  }
  std::string_view value(const OutputRecord& r) const {
    return {bytes.data() + r.value_begin, r.value_bytes};
  }
  std::string_view headers(const PassedOn& p) const {
    return {bytes.data() + p.headers_begin, p.headers_bytes};
  }
  void clear() {
    bytes.clear();
    records.clear();
    letters.clear();
    passed_on.clear();
  }
};

}  // namespace tidemark
