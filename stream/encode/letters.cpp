// Records that are not decisions: releases, and the letters (dead or late) that give the original
// bytes back. Rare, so they may allocate.
#include <utility>

#include "stream/encode/base64.hpp"
#include "stream/encode/encoder.hpp"
#include "stream/encode/json_writer.hpp"

namespace tidemark {
namespace {

void append_bytes(std::string_view text, OutputBatch& out, std::uint64_t& begin,
                  std::uint32_t& bytes) {
  begin = out.bytes.size();
  bytes = static_cast<std::uint32_t>(text.size());
  out.bytes += text;
}

void encode_letter(const EventBatch& events, std::size_t row, OutputTopic topic,
                   LetterHeaders headers, OutputBatch& out) {
  headers.source = events.source[row];
  headers.partition = events.partition[row];
  headers.offset = events.offset[row];
  const std::string_view key = events.raw_key[row], value = events.raw_value[row];
  OutputRecord record;
  record.topic = topic;
  record.null_key = key.data() == nullptr;
  record.null_value = value.data() == nullptr;
  append_bytes(value, out, record.value_begin, record.value_bytes);
  append_bytes(key, out, record.key_begin, record.key_bytes);
  record.letter = static_cast<std::int32_t>(out.letters.size());
  out.letters.push_back(std::move(headers));
  out.records.push_back(record);
}

}  // namespace

void encode_release(std::string_view fingerprint, std::string_view document, OutputBatch& out) {
  OutputRecord record;
  record.topic = OutputTopic::releases;
  append_bytes(document, out, record.value_begin, record.value_bytes);
  append_bytes(fingerprint, out, record.key_begin, record.key_bytes);
  out.records.push_back(record);
}

void encode_dead_letter(const EventBatch& events, std::size_t row, OutputBatch& out) {
  LetterHeaders headers;
  headers.error = name_of(events.error[row]);
  headers.message = events.error_message[row];
  encode_letter(events, row, OutputTopic::dead_letter, std::move(headers), out);
}

void encode_late(const EventBatch& events, std::size_t row, std::string_view message,
                 OutputBatch& out) {
  LetterHeaders headers;
  headers.error = "late";
  headers.message = message;
  encode_letter(events, row, OutputTopic::late, std::move(headers), out);
}

std::string file_json(const OutputBatch& batch, const OutputRecord& record) {
  const LetterHeaders& headers = batch.letters[static_cast<std::size_t>(record.letter)];
  std::string json = R"({"error":)" + json_string(headers.error);
  json += R"(,"message":)" + json_string(headers.message);
  json += R"(,"topic":)" + json_string(name_of(headers.source));
  json += R"(,"partition":)" + std::to_string(headers.partition);
  json += R"(,"offset":)" + std::to_string(headers.offset);
  if (!record.null_key) json += R"(,"key_base64":")" + base64(batch.key(record)) + '"';
  json += R"(,"value_base64":)";
  json += record.null_value ? std::string("null") : '"' + base64(batch.value(record)) + '"';
  return json + '}';
}

}  // namespace tidemark
