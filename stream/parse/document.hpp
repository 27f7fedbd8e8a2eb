// One JSON object taken apart: for every field that the source knows, where its value stands in
// the bytes and what kind of value it is. Filled by the reader, read by the row writer, both of
// one Parser, so of one thread. Views end with the record's bytes or the next document.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/event.hpp"
#include "stream/parse/fields.hpp"

namespace tidemark {

enum class TokenKind : std::uint8_t { absent, null, boolean, number, string, object, array };

/// A value. `text` is the number or literal as written, or the inside of a string, still escaped
/// when `escaped` says so; empty for objects and arrays.
struct Token {
  std::string_view text;
  TokenKind kind = TokenKind::absent;
  bool escaped = false;
};

/// One member of a profile's `inputs`.
struct InputToken {
  std::string name;
  Token whole, value, as_of;  // the last two only when `whole` is an object
};

struct Document {
  std::uint32_t seen = 0;  // bit_of(Field); the token of a field not seen is stale
  std::array<Token, field_count> tokens;
  std::vector<InputToken> inputs;

  const Token& operator[](Field field) const { return tokens[static_cast<std::size_t>(field)]; }
  bool has(Field field) const { return (seen & bit_of(field)) != 0; }
};

}  // namespace tidemark
