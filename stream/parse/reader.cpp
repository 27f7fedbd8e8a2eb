// Reader. On-demand parsing checks only what is asked for, so every value is asked for here. Values
// are taken as tokens of the input (no copy); strings are consumed explicitly, because skipping
// one that is followed by a colon would let {"a":"b":1} pass.
#include "stream/parse/reader.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/data/raw_batch.hpp"
#include "stream/parse/json_text.hpp"

namespace tidemark {
namespace {

static_assert(raw_padding_bytes >= simdjson::SIMDJSON_PADDING);

constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// The bytes of a key up to its closing quote; stage 1 has made sure that there is one.
std::string_view key_text(const char* begin) {
  const char* end = begin;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  return {begin, static_cast<std::size_t>(end - begin)};
}

/// A field's name and its closing quote as two words, and which bytes of them count. The quote is
/// compared too, so that a longer key does not match.
struct KeyWords {
  std::array<std::uint64_t, 2> text{}, mask{};
};

constexpr std::array<KeyWords, field_count> make_key_words() {
  std::array<KeyWords, field_count> all{};
  for (std::size_t field = 0; field < field_count; ++field) {
    const std::string_view name = field_names[field];
    for (std::size_t i = 0; i <= name.size(); ++i) {
      const auto byte = static_cast<std::uint64_t>(i < name.size() ? name[i] : '"');
      all[field].text[i / 8] |= byte << (i % 8 * 8);
      all[field].mask[i / 8] |= std::uint64_t{0xff} << (i % 8 * 8);
    }
  }
  return all;
}

constexpr auto key_words = make_key_words();
static_assert(std::endian::native == std::endian::little);

/// The padding behind the value makes 16 bytes readable at any key.
bool is_key(const char* key, Field field) {
  const KeyWords& words = key_words[static_cast<std::size_t>(field)];
  std::uint64_t low, high;
  std::memcpy(&low, key, 8);
  std::memcpy(&high, key + 8, 8);
  return (((low & words.mask[0]) ^ words.text[0]) | ((high & words.mask[1]) ^ words.text[1])) == 0;
}

/// Nothing but spaces follows the object; there is no location once the tokens have run out.
bool is_at_end(simdjson::ondemand::document& json) {
  return json.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

}  // namespace

bool Reader::refuse(std::string_view what) {
  complaint_ = what;
  return false;
}

/// Position in `fields` of the key that starts at `key`, or -1, or -2 for a malformed key.
/// Producers write their fields in one order, so the one after the last is tried first.
int Reader::find(const char* key, std::span<const Field> fields, std::size_t expected) {
  if (expected < fields.size() && is_key(key, fields[expected])) return static_cast<int>(expected);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (is_key(key, fields[i])) return static_cast<int>(i);
  }
  const std::string_view text = key_text(key);
  if (text.find('\\') == std::string_view::npos) return -1;
  if (!unescape_json(text, key_)) return -2;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (key_ == name_of(fields[i])) return static_cast<int>(i);
  }
  return -1;
}

bool Reader::read_scalar(Value& value, Token& token) {
  std::string_view text = value.raw_json_token();
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (text.empty()) return false;
  switch (text.front()) {
    case '"': {
      if (text.size() < 2 || text.back() != '"') return false;
      simdjson::ondemand::raw_json_string consumed;
      if (value.get_raw_json_string().get(consumed)) return false;
      token = {text.substr(1, text.size() - 2), TokenKind::string, false};
      if (!has_escapes_ || token.text.find('\\') == std::string_view::npos) return true;
      token.escaped = true;
      if (unescape_json(token.text, scratch_)) return true;
      return refuse("has an escape that stands for no character");
    }
    case 't':
      token = {text, TokenKind::boolean, false};
      return text == "true";
    case 'f':
      token = {text, TokenKind::boolean, false};
      return text == "false";
    case 'n':
      token = {text, TokenKind::null, false};
      return text == "null";
    default:
      token = {text, TokenKind::number, false};
      return is_json_number(text);
  }
}

/// Any value, to its end; the members of containers are checked and dropped.
bool Reader::check_value(Value& value, Token& token, int depth) {
  const char first = *value.raw_json_token().data();
  if (first != '{' && first != '[') return read_scalar(value, token);
  if (depth >= nesting_max) return refuse("nests deeper than 64 levels");
  if (first == '{') {
    token = {{}, TokenKind::object, false};
    Object object;
    return !value.get_object().get(object) && check_members(object, depth + 1);
  }
  token = {{}, TokenKind::array, false};
  simdjson::ondemand::array array;
  if (value.get_array().get(array)) return false;
  for (auto element : array) {
    Value inner;
    Token ignored;
    if (std::move(element).get(inner) || !check_value(inner, ignored, depth + 1)) return false;
  }
  return true;
}

bool Reader::check_members(Object object, int depth) {
  for (auto member : object) {
    simdjson::ondemand::field field;
    if (std::move(member).get(field) || find(field.key().raw(), {}, 0) == -2) return false;
    Token ignored;
    if (!check_value(field.value(), ignored, depth)) return false;
  }
  return true;
}

/// {"value": number, "as_of": time}, other members ignored.
bool Reader::read_input(Object object, InputToken& input) {
  for (auto member : object) {
    simdjson::ondemand::field field;
    if (std::move(member).get(field)) return false;
    const char* key = field.key().raw();
    if (find(key, {}, 0) == -2) return false;
    const std::string_view text = key_text(key);
    const std::string_view name =
        text.find('\\') == std::string_view::npos ? text : std::string_view(key_);
    Token ignored;
    Token* token = name == "value" ? &input.value : name == "as_of" ? &input.as_of : &ignored;
    if (token->kind != TokenKind::absent) return refuse("has a key of an input twice");
    if (!check_value(field.value(), *token, 3)) return false;
  }
  return true;
}

bool Reader::read_inputs(Object object, Document& document) {
  for (auto member : object) {
    simdjson::ondemand::field field;
    if (std::move(member).get(field)) return false;
    InputToken input;
    if (!unescape_json(key_text(field.key().raw()), input.name)) return false;
    Value& value = field.value();
    if (*value.raw_json_token().data() == '{') {
      input.whole.kind = TokenKind::object;
      Object inner;
      if (value.get_object().get(inner) || !read_input(inner, input)) return false;
    } else if (!check_value(value, input.whole, 2)) {
      return false;
    }
    document.inputs.push_back(std::move(input));
  }
  auto& inputs = document.inputs;
  std::sort(inputs.begin(), inputs.end(),
            [](const InputToken& a, const InputToken& b) { return a.name < b.name; });
  const auto same = [](const InputToken& a, const InputToken& b) { return a.name == b.name; };
  if (std::adjacent_find(inputs.begin(), inputs.end(), same) != inputs.end()) {
    return refuse("inputs: has a name twice");
  }
  return true;
}

bool Reader::read_field(Value& value, Field field, Document& document) {
  if (document.has(field)) return refuse(std::string(name_of(field)) + ": is there twice");
  document.seen |= bit_of(field);
  Token& token = document.tokens[static_cast<std::size_t>(field)];
  if (field == Field::inputs && *value.raw_json_token().data() == '{') {
    token = {{}, TokenKind::object, false};
    Object object;
    return !value.get_object().get(object) && read_inputs(object, document);
  }
  return check_value(value, token, 1);
}

bool Reader::read_object(Object& object, std::span<const Field> fields, Document& document) {
  std::size_t expected = 0;
  for (auto member : object) {
    simdjson::ondemand::field field;
    if (std::move(member).get(field)) return false;
    const int found = find(field.key().raw(), fields, expected);
    if (found >= 0) {
      if (!read_field(field.value(), fields[static_cast<std::size_t>(found)], document)) {
        return false;
      }
      expected = static_cast<std::size_t>(found) + 1;
    } else {
      Token ignored;
      if (found == -2 || !check_value(field.value(), ignored, 1)) return false;
    }
  }
  return true;
}

RowError Reader::read(std::string_view value, std::span<const Field> fields, Document& document,
                      std::string& message) {
  document.seen = 0;
  document.inputs.clear();
  complaint_.clear();
  has_escapes_ = std::memchr(value.data(), '\\', value.size()) != nullptr;
  simdjson::ondemand::document json;
  const simdjson::padded_string_view padded(value.data(), value.size(),
                                            value.size() + raw_padding_bytes);
  Object object;
  if (parser_.iterate(padded).get(json) || json.get_object().get(object) ||
      !read_object(object, fields, document) || !is_at_end(json)) {
    return explain(value, message);
  }
  return RowError::none;
}

/// The reason behind a refusal, found with the slow parser: dead letters are rare.
RowError Reader::explain(std::string_view value, std::string& message) {
  if (!simdjson::validate_utf8(value.data(), value.size())) {
    message = "value: is not valid UTF-8";
    return RowError::invalid_utf8;
  }
  if (!complaint_.empty()) {
    // Our own complaints begin with a field's name, or are about the value as a whole.
    message = complaint_.find(": ") == std::string::npos ? "value: " + complaint_ : complaint_;
    return RowError::invalid_json;
  }
  simdjson::dom::parser slow;
  simdjson::dom::element root;
  const simdjson::error_code error = slow.parse(value.data(), value.size()).get(root);
  if (!error && !root.is_object()) {
    message = "value: is JSON but not an object";
    return RowError::not_an_object;
  }
  message = "value: is not JSON: " + quote_for_message(value);
  return RowError::invalid_json;
}

}  // namespace tidemark
