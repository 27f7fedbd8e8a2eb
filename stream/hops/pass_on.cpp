// See pass_on.hpp.
#include "stream/hops/pass_on.hpp"

#include <charconv>

#include "stream/encode/headers.hpp"

namespace tidemark {
namespace {

void append_bytes(std::string_view text, OutputBatch& out, std::uint64_t& begin,
                  std::uint32_t& bytes) {
  begin = out.bytes.size();
  bytes = static_cast<std::uint32_t>(text.size());
  out.bytes += text;
}

}  // namespace

void append_place(const RawRecord& record, std::string_view topic, std::string& headers) {
  if (find_header(record.headers, header_topic)) return;
  append_header(header_topic, topic, headers);
  append_header(header_partition, std::to_string(record.partition), headers);
  append_header(header_offset, std::to_string(record.offset), headers);
}

std::optional<std::int32_t> first_partition(std::string_view headers) {
  const auto text = find_header(headers, header_partition);
  if (!text) return std::nullopt;
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  const bool whole = error == std::errc() && end == text->data() + text->size() && number >= 0;
  return whole ? std::optional(number) : std::nullopt;
}

void pass_on(const RawRecord& record, const Destination& to, std::string_view more_headers,
             OutputBatch& out) {
  OutputRecord handed;
  handed.topic = hop_output;
  handed.partition = to.partition;
  handed.null_key = to.key.data() == nullptr;
  handed.null_value = record.value.data() == nullptr;
  append_bytes(record.value, out, handed.value_begin, handed.value_bytes);
  append_bytes(to.key, out, handed.key_begin, handed.key_bytes);
  handed.passed_on = static_cast<std::int32_t>(out.passed_on.size());
  out.passed_on.push_back(
      {record.kafka_time_ms, out.bytes.size(), record.headers.size() + more_headers.size()});
  out.bytes += record.headers;
  out.bytes += more_headers;
  out.records.push_back(handed);
}

}  // namespace tidemark
