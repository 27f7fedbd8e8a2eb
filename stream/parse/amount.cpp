// Amounts: decimal text to exact minor units.
#include "stream/parse/amount.hpp"

#include <cstddef>

namespace tidemark {
namespace {

constexpr bool is_digit(char c) {
  return static_cast<unsigned char>(c - '0') < 10;
}

bool is_plain_decimal(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && is_digit(text[at])) ++at;
  if (at == 0) return false;
  if (at == text.size()) return true;
  if (text[at] != '.') return false;
  const std::size_t point = at++;
  while (at < text.size() && is_digit(text[at])) ++at;
  return at == text.size() && at > point + 1;
}

}  // namespace

AmountError check_amount(std::string_view text) {
  if (is_plain_decimal(text)) return AmountError::none;
  if (!text.empty() && text[0] == '-' && is_plain_decimal(text.substr(1))) {
    return AmountError::negative;
  }
  return AmountError::invalid;
}

AmountError convert_amount(std::string_view text, int exponent, std::int64_t& minor) {
  const std::size_t point = text.find('.');
  const int decimals =
      point == std::string_view::npos ? 0 : static_cast<int>(text.size() - point - 1);
  if (decimals > exponent) return AmountError::precision;
  std::int64_t units = 0;
  const auto push = [&](int digit) {
    return !__builtin_mul_overflow(units, std::int64_t{10}, &units) &&
           !__builtin_add_overflow(units, std::int64_t{digit}, &units);
  };
  for (const char c : text) {
    if (c != '.' && !push(c - '0')) return AmountError::overflow;
  }
  for (int i = decimals; i < exponent; ++i) {
    if (!push(0)) return AmountError::overflow;
  }
  minor = units;
  return AmountError::none;
}

}  // namespace tidemark
