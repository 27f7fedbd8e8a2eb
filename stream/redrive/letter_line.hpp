// A dead letter as a line of JSON that people read, edit and give back: text as text where it is
// UTF-8, base64 where it is not. Pure functions; nothing here knows Kafka.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark {

/// Where a record lies.
struct RecordPlace {
  std::string topic;
  int partition = 0;
  std::int64_t offset = 0;
  bool operator==(const RecordPlace&) const = default;
};

/// "topic/partition/offset".
std::string to_text(const RecordPlace& place);

struct DeadLetter {
  RecordPlace letter;    // in the dead-letter topic
  RecordPlace original;  // the record behind it; its topic by the source's name, where it is one
  std::string error, message;
  std::optional<std::string> key, value;
};

/// No line end.
std::string letter_line(const DeadLetter& letter);

/// Reads such a line, edited or not. Strict: an unknown or missing field, one twice, or a wrong
/// type gives nothing, and `error` names the field.
std::optional<DeadLetter> read_letter_line(std::string_view line, std::string& error);

}  // namespace tidemark
