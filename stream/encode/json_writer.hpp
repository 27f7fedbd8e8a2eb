// A pen over bytes whose room was made beforehand: writes JSON pieces with no checks and no
// allocation. The caller reserves by the bounds named here. One thread; knows no record.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tidemark {

/// Bytes that one number, time or word of an enum takes at most.
inline constexpr std::size_t number_bytes_max = 64;
/// Bytes that one byte of text takes at most once escaped (\u001f).
inline constexpr std::size_t escaped_bytes_max = 6;

class JsonWriter {
 public:
  explicit JsonWriter(char* at) : at_(at) {}
  char* at() const { return at_; }

  void raw(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void raw(char c) { *at_++ = c; }

  /// The text between quotes, escaped as JSON asks; UTF-8 passes as it is.
  void quoted(std::string_view text) {
    raw('"');
    escaped(text);
    raw('"');
  }
  void escaped(std::string_view text);

  void integer(std::int64_t value) { at_ = std::to_chars(at_, at_ + number_bytes_max, value).ptr; }
  /// Shortest digits that read back to the same float, never with an exponent; null when the
  /// value is missing or infinite.
  void number(float value) {
    if (!std::isfinite(value)) return raw("null");
    at_ = std::to_chars(at_, at_ + number_bytes_max, value, std::chars_format::fixed).ptr;
  }
  void number(double value) { number(static_cast<float>(value)); }
  /// Rounded half up to `digits` (at most 6) after the point, trailing zeros dropped; null when
  /// missing or infinite.
  void rounded(double value, int digits);
  /// Minor units as a decimal in a currency of `exponent` digits: 12345, 2 -> 123.45.
  void decimal(std::int64_t minor, int exponent);
  /// RFC 3339 in UTC with milliseconds: 2018-04-01T00:00:31.000Z. Years 0 to 9999.
  void time(std::int64_t epoch_ms);

 private:
  void padded(std::uint32_t value, int digits) {
    for (int i = digits - 1; i >= 0; --i) {
      at_[i] = static_cast<char>('0' + value % 10);
      value /= 10;
    }
    at_ += digits;
  }

  char* at_;
};

/// Text as a JSON string with its quotes, for what is prepared once or is rare. Bytes that are not
/// UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace tidemark
