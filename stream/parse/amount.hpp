// Amounts: decimal text to exact minor units. Any thread; no floating point anywhere.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark {

enum class AmountError : std::uint8_t { none, invalid, negative, precision, overflow };

/// Checks `text` against digits [ "." digits ]; leading zeros are allowed, signs, exponents,
/// spaces and a bare point are not. Returns none, invalid or negative (a well-formed number with a
/// minus sign in front, -0 included: the event's type gives the sign).
AmountError check_amount(std::string_view text);

/// Minor units of a text that passed check_amount. More digits after the point than `exponent` is
/// `precision`, also when they are zeros; more than int64 holds is `overflow`.
AmountError convert_amount(std::string_view text, int exponent, std::int64_t& minor);

}  // namespace tidemark
