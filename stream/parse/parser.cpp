// Parser: what can be said without the object's fields, then reader and row writer.
#include "stream/parse/parser.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "stream/parse/hash.hpp"
#include "stream/parse/reader.hpp"
#include "stream/parse/row_writer.hpp"

namespace tidemark {

struct Parser::State {
  ParseOptions options;
  Reader reader;
  RowWriter writer;
  Document document;
  std::string message;

  void parse_record(const RawRecord& record, std::size_t row);
  void parse_without_value(const RawRecord& record, std::size_t row);
};

Parser::Parser(ParseOptions options) : state_(std::make_unique<State>()) {
  state_->options = options;
}
Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

void Parser::parse(const RawBatch& raw, std::size_t first, std::size_t count, EventBatch& batch,
                   std::size_t row) {
  state_->writer.begin(batch);
  for (std::size_t i = 0; i < count; ++i) {
    const RawRecord& record = raw.records[first + i];
    state_->writer.locate(record, row + i);
    state_->parse_record(record, row + i);
  }
  state_->writer.finish();
}

void Parser::State::parse_record(const RawRecord& record, std::size_t row) {
  const std::string_view value = record.value;
  if (value.empty()) {
    parse_without_value(record, row);
    return;
  }
  if (value.size() > options.value_bytes_max) {
    writer.reject(row, RowError::oversized,
                  fmt::format("value: {} bytes, at most {} are allowed", value.size(),
                              options.value_bytes_max));
    return;
  }
  const RowError error = reader.read(value, fields_of(record.source), document, message);
  if (error == RowError::none) {
    writer.write(record, document, row);
  } else {
    writer.reject(row, error, std::move(message));
  }
}

void Parser::State::parse_without_value(const RawRecord& record, std::size_t row) {
  // On the one compacted input an empty value means that the merchant is forgotten.
  if (record.source != Source::merchants || !record.has_key) {
    writer.reject(row, RowError::empty_value,
                  record.value.data() == nullptr ? "value: is null" : "value: is empty");
  } else if (record.key.empty()) {
    writer.reject(row, RowError::empty_field, "merchant_id: a tombstone needs a key");
  } else if (!simdjson::validate_utf8(record.key.data(), record.key.size())) {
    writer.reject(row, RowError::invalid_utf8, "merchant_id: the key is not valid UTF-8");
  } else {
    writer.write_tombstone(record, row);
  }
}

std::uint64_t hash_of_id(std::string_view id) {
  return hash_id(id);
}

}  // namespace tidemark
