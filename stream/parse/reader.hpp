// Reader: bytes of one record to a Document, with simdjson's on-demand parser in place. The whole
// object is checked to its last byte, also the values that nobody reads. One per thread.
#pragma once

#include <simdjson.h>

#include <span>
#include <string>
#include <string_view>

#include "stream/parse/document.hpp"

namespace tidemark {

/// Nesting of ignored values beyond this is refused, so that the walk over them is bounded.
inline constexpr int nesting_max = 64;

class Reader {
 public:
  /// Fills `document` with the values of `fields`. At least raw_padding_bytes after `value` are
  /// readable. Returns `none`, invalid_utf8, invalid_json or not_an_object, the last three with a
  /// message. A known key that is there twice is invalid_json: which of two amounts was meant
  /// must not depend on the reader (RFC 7493, I-JSON).
  RowError read(std::string_view value, std::span<const Field> fields, Document& document,
                std::string& message);

 private:
  using Value = simdjson::ondemand::value;
  using Object = simdjson::ondemand::object;

  bool read_object(Object& object, std::span<const Field> fields, Document& document);
  bool read_field(Value& value, Field field, Document& document);
  bool read_inputs(Object object, Document& document);
  bool read_input(Object object, InputToken& input);
  bool read_scalar(Value& value, Token& token);
  bool check_value(Value& value, Token& token, int depth);
  bool check_members(Object object, int depth);
  int find(const char* key, std::span<const Field> fields, std::size_t expected);
  bool refuse(std::string_view what);
  RowError explain(std::string_view value, std::string& message);

  simdjson::ondemand::parser parser_;
  std::string key_, scratch_;
  bool has_escapes_ = false;  // somewhere in the value: one look saves one for every string
  std::string complaint_;     // of our own checks; empty when simdjson refused
};

}  // namespace tidemark
