// Currencies: ISO 4217 codes packed into 32 bits, and how many digits each has after the point.
// Used wherever an amount crosses the border between text and minor units; any thread. Knows no
// exchange rates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/host_device.hpp"

namespace tidemark {

/// A code of three capital letters packed as 'C' | 'N' << 8 | 'Y' << 16; anything else gives 0.
constexpr std::uint32_t pack_currency(std::string_view letters) {
  if (letters.size() != 3) return 0;
  std::uint32_t code = 0;
  for (int i = 0; i < 3; ++i) {
    const char letter = letters[static_cast<std::size_t>(i)];
    if (letter < 'A' || letter > 'Z') return 0;
    code |= static_cast<std::uint32_t>(letter) << (8 * i);
  }
  return code;
}

inline constexpr int unknown_currency_exponent = -1;

/// Digits after the point (CNY 2, JPY 0, KWD 3), or `unknown_currency_exponent` for a code that
/// ISO 4217 does not list. Codes withdrawn since 2015 are known too, because history is replayed;
/// metals and testing codes have no minor unit and are unknown.
int currency_exponent(std::uint32_t code);

/// The table behind it, for those who carry it to a device, and the look-up in such a copy.
inline constexpr std::size_t currency_table_bytes = 26 * 26 * 26;
const std::int8_t* currency_table();
TIDEMARK_HD inline int exponent_in(const std::int8_t* table, std::uint32_t code) {
  std::uint32_t index = 0;
  for (int i = 0; i < 3; ++i) {
    // Every letter is a capital: without this a made-up code would index outside the table.
    const std::uint32_t letter = ((code >> (8 * i)) & 0xff) - 'A';
    if (letter >= 26) return unknown_currency_exponent;
    index = index * 26 + letter;
  }
  return table[index];
}

/// The three letters of a packed code; empty for 0.
std::string currency_letters(std::uint32_t code);

}  // namespace tidemark
