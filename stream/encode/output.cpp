// Names of the output topics and joining of batches. See output.hpp.
#include "stream/encode/output.hpp"

#include <array>

#include "stream/encode/encoder.hpp"

namespace tidemark {
namespace {

constexpr std::array<std::string_view, output_topic_count> topic_names = {
    "verdicts", "limits", "alerts", "shadow", "releases", "dead-letter", "late", "journal"};

}  // namespace

std::string_view name_of(OutputTopic topic) {
  return topic_names[static_cast<std::size_t>(topic)];
}

void append_output(const OutputBatch& part, OutputBatch& out) {
  const std::uint64_t bytes = out.bytes.size();
  const auto letters = static_cast<std::int32_t>(out.letters.size());
  out.bytes += part.bytes;
  out.letters.insert(out.letters.end(), part.letters.begin(), part.letters.end());
  const auto passed_on = static_cast<std::int32_t>(out.passed_on.size());
  for (PassedOn passed : part.passed_on) {
    passed.headers_begin += bytes;
    out.passed_on.push_back(passed);
  }
  out.records.reserve(out.records.size() + part.records.size());
  for (OutputRecord record : part.records) {
    record.value_begin += bytes;
    record.key_begin += bytes;
    if (record.letter >= 0) record.letter += letters;
    if (record.passed_on >= 0) record.passed_on += passed_on;
    out.records.push_back(record);
  }
}

}  // namespace tidemark
