// JSON's grammar for numbers in one pass, and a short way to the nearest float32 for the numbers
// that trainers write; std::from_chars has the others.
#include "models/json_number.hpp"

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

namespace tidemark {
namespace {

constexpr std::ptrdiff_t digits_max = 19;  // that a 64-bit integer surely holds
constexpr std::uint64_t exact_max = std::uint64_t{1} << 53;
constexpr int exponent_max = 22;
/// Each is a double without rounding.
constexpr double powers[exponent_max + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                             1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                             1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Adds the digits at `at` to `digits`, which wraps where there are more than `digits_max`.
const char* read_digits(const char* at, std::uint64_t& digits) {
  for (; is_digit(*at); ++at) digits = 10 * digits + static_cast<std::uint64_t>(*at - '0');
  return at;
}

const char* read_word(const char* at, double& value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::pair<std::string_view, double> words[] = {
      {"true", 1},
      {"false", 0},
      {"NaN", std::numeric_limits<double>::quiet_NaN()},
      {"Infinity", infinity},
      {"-Infinity", -infinity}};
  for (const auto& [word, meaning] : words) {
    if (std::strncmp(at, word.data(), word.size()) != 0) continue;
    value = meaning;
    return at + word.size();
  }
  return nullptr;
}

/// `digits` x 10^exponent as the nearest float32. Both operands are exact, so the double is the
/// nearest one, and the float32 nearest to it is the right one unless the double lies just between
/// two: only then could what was rounded off have decided. No result here is denormal or too large.
bool nearest_float(std::uint64_t digits, std::int64_t exponent, double& value) {
  if (digits > exact_max || exponent > exponent_max || exponent < -exponent_max) return false;
  const auto whole = static_cast<double>(digits);
  const double near = exponent < 0 ? whole / powers[-exponent] : whole * powers[exponent];
  constexpr std::uint64_t below_float = (std::uint64_t{1} << 29) - 1;
  if ((std::bit_cast<std::uint64_t>(near) & below_float) == below_float / 2 + 1) return false;
  value = static_cast<double>(static_cast<float>(near));
  return true;
}

const char* read_slowly(const char* begin, const char* end, bool fraction, double& value) {
  std::int64_t whole = 0;
  if (!fraction && std::from_chars(begin, end, whole).ec == std::errc()) {
    value = static_cast<double>(whole);
    return end;
  }
  float near = 0;
  if (std::from_chars(begin, end, near).ec != std::errc()) return nullptr;
  value = static_cast<double>(near);
  return end;
}

}  // namespace

const char* read_json_number(const char* at, double& value) {
  const char* const begin = at;
  const bool negative = *at == '-';
  const char* const first = begin + (negative ? 1 : 0);
  std::uint64_t digits = 0;
  at = read_digits(first, digits);
  if (at == first) return read_word(begin, value);
  if (*first == '0' && at - first > 1) return nullptr;
  std::ptrdiff_t count = at - first;
  std::int64_t exponent = 0;
  const bool fraction = *at == '.' || *at == 'e' || *at == 'E';
  if (*at == '.') {
    const char* const point = ++at;
    at = read_digits(at, digits);
    if (at == point) return nullptr;
    exponent = point - at;
    count += at - point;
  }
  if (*at == 'e' || *at == 'E') {
    ++at;
    const bool down = *at == '-';
    if (down || *at == '+') ++at;
    const char* const power = at;
    std::uint64_t more = 0;
    at = read_digits(at, more);
    if (at == power) return nullptr;
    if (at - power > 4) return read_slowly(begin, at, fraction, value);
    exponent += down ? -static_cast<std::int64_t>(more) : static_cast<std::int64_t>(more);
  }
  if (count > digits_max) return read_slowly(begin, at, fraction, value);
  if (!fraction && digits <= exact_max) {
    const auto whole = static_cast<std::int64_t>(digits);
    value = static_cast<double>(negative ? -whole : whole);
    return at;
  }
  if (!fraction || !nearest_float(digits, exponent, value)) {
    return read_slowly(begin, at, fraction, value);
  }
  if (negative) value = -value;
  return at;
}

}  // namespace tidemark
