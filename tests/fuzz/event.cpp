// Messages of every source, the first byte says which: a good row, or a dead letter whose error has
// a message of one line and whose JSON a parser of another make reads back.
#include <simdjson.h>

#include <array>
#include <cstring>

#include "stream/encode/encoder.hpp"
#include "stream/parse/parser.hpp"
#include "tests/fuzz/support/fuzz.hpp"

namespace {

using namespace tidemark;

void check_dead_letter(const EventBatch& batch, std::string_view value) {
  fuzz::require(batch.outcome[0] == Outcome::dead_lettered, "an error is a dead letter");
  fuzz::require_one_line(batch.error_message[0]);
  OutputBatch out;
  encode_dead_letter(batch, 0, out);
  fuzz::require(out.value(out.records.at(0)) == value, "a dead letter has the record's bytes");
  const simdjson::padded_string json(file_json(out, out.records.at(0)));
  simdjson::dom::parser reader;
  fuzz::require(reader.parse(json).error() == simdjson::SUCCESS, "a dead letter's JSON is JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto text = fuzz::text_of(data + 1, size - 1);
  // An allocation of its own size, so that reading past the padding is seen.
  auto buffer = std::make_shared<std::vector<char>>(text.size() + raw_padding_bytes);
  std::memcpy(buffer->data(), text.data(), text.size());
  auto raw = std::make_shared<RawBatch>();
  RawRecord record;
  record.value = {buffer->data(), text.size()};
  record.source = static_cast<Source>(data[0] % source_count);
  raw->records.push_back(record);
  raw->keep_alive = buffer;

  EventBatch batch;
  batch.keep(raw);
  batch.grow(1);
  static Parser parser({});
  parser.parse(*raw, 0, 1, batch, 0);
  if (batch.error[0] != RowError::none) {
    check_dead_letter(batch, text);
  } else {
    fuzz::require(batch.outcome[0] == Outcome::pending, "a good row waits for its outcome");
    fuzz::require(batch.error_message[0].empty(), "a good row has no error message");
  }
  return 0;
}
