// Reading a hostile text model: lines, `key=value` fields, numbers and arrays, each with the line
// that an error names. Memory grows with the text that was read, never with a count that the text
// claims. Used by the importers at load, one thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"

namespace tidemark {

/// Text from a hostile file, fit for one line of a terminal.
inline std::string shown(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 40)) out += (c >= ' ' && c <= '~') ? c : '?';
  if (text.size() > 40) out += "...";
  return out;
}

struct TextLine {
  std::string_view text;
  std::size_t offset = 0;
  std::int64_t number = 0;  // from 1
};

/// Value of one `key=value` line, with where it stood.
struct TextField {
  std::string_view value;
  std::int64_t line = 0;
};

using TextFields = std::map<std::string, TextField, std::less<>>;

class TextReader {
 public:
  TextReader(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  [[noreturn]] void fail(std::int64_t line, const std::string& what) const {
    throw UsageError(fmt::format("{}:{}: {}", name_, line, what));
  }

  bool next(TextLine& line) {
    if (position_ >= text_.size()) return false;
    const std::size_t end = text_.find('\n', position_);
    const std::size_t stop = end == std::string_view::npos ? text_.size() : end;
    std::string_view body = text_.substr(position_, stop - position_);
    if (!body.empty() && body.back() == '\r') body.remove_suffix(1);
    line = {body, position_, ++number_};
    position_ = end == std::string_view::npos ? text_.size() : end + 1;
    return true;
  }

  std::int64_t line_number() const { return number_; }

  std::int64_t integer(std::string_view word, std::int64_t line, std::string_view key,
                       std::int64_t least, std::int64_t most) const {
    std::int64_t value = 0;
    const char* end = word.data() + word.size();
    const auto got = std::from_chars(word.data(), end, value);
    if (word.empty() || got.ec != std::errc() || got.ptr != end) {
      fail(line, fmt::format("{}: '{}' is not an integer", key, shown(word)));
    }
    if (value < least || value > most) {
      fail(line, fmt::format("{}: {} is out of range [{}, {}]", key, value, least, most));
    }
    return value;
  }

  /// A number of which only the form matters: NaN, infinite or beyond a double is fine.
  void check_number(std::string_view word, std::int64_t line, std::string_view key) const {
    if (is_decimal(word)) return;
    double value = 0;
    const char* end = word.data() + word.size();
    const auto got = std::from_chars(word.data(), end, value);
    if (got.ec == std::errc::invalid_argument || got.ptr != end) {
      fail(line, fmt::format("{}: '{}' is not a number", key, shown(word)));
    }
  }

  /// Correctly rounded, as the trainer reads it. An overflow is damage: it writes +-1e300 at most.
  double number(std::string_view word, std::int64_t line, std::string_view key) const {
    double value = 0;
    const char* end = word.data() + word.size();
    const auto got = std::from_chars(word.data(), end, value);
    const bool tiny = got.ec == std::errc::result_out_of_range && is_underflow(word, value);
    if (word.empty() || (got.ec != std::errc() && !tiny) || got.ptr != end) {
      fail(line, fmt::format("{}: '{}' is not a number", key, shown(word)));
    }
    if (std::isnan(value)) fail(line, fmt::format("{}: NaN is not allowed", key));
    return value;
  }

  /// Exactly `count` words of a field, each shown to `read`. Nothing is reserved by a count that
  /// the text claims.
  template <typename Read>
  void each(const TextField& field, std::size_t count, std::string_view key, Read&& read) const {
    std::size_t words = 0;
    const char* at = field.value.data();
    const char* const end = at + field.value.size();
    while (at != end) {
      const char* const begin = at;
      while (at != end && *at != ' ') ++at;
      const std::string_view word(begin, static_cast<std::size_t>(at - begin));
      if (at != end) ++at;
      if (word.empty()) continue;
      if (words++ == count) fail(field.line, fmt::format("{}: more than {} values", key, count));
      read(word);
    }
    if (words != count) {
      fail(field.line, fmt::format("{}: {} values where {} are due", key, words, count));
    }
  }

  template <typename T, typename Read>
  std::vector<T> array(const TextField& field, std::size_t count, std::string_view key,
                       Read&& read) const {
    std::vector<T> out;
    out.reserve(std::min(count, field.value.size() / 2 + 1));
    each(field, count, key,
         [&](std::string_view word) { out.push_back(static_cast<T>(read(word))); });
    return out;
  }

 private:
  /// Digits, a point with digits, an exponent: what trainers write.
  static bool is_decimal(std::string_view word) {
    std::size_t at = word.starts_with('-') ? 1 : 0;
    const auto digits = [&] {
      const std::size_t begin = at;
      while (at < word.size() && word[at] >= '0' && word[at] <= '9') ++at;
      return at > begin;
    };
    if (!digits()) return false;
    if (at < word.size() && word[at] == '.') {
      ++at;
      if (!digits()) return false;
    }
    if (at < word.size() && (word[at] == 'e' || word[at] == 'E')) {
      ++at;
      if (at < word.size() && (word[at] == '-' || word[at] == '+')) ++at;
      if (!digits()) return false;
    }
    return at == word.size();
  }

  /// from_chars reports too large and too small alike and leaves the value alone; only too small is
  /// harmless (it is zero).
  static bool is_underflow(std::string_view word, double& value) {
    const std::size_t e = word.find_first_of("eE");
    if (e == std::string_view::npos || e + 1 >= word.size() || word[e + 1] != '-') return false;
    value = word.front() == '-' ? -0.0 : 0.0;
    return true;
  }

  std::string_view text_;
  std::string name_;
  std::size_t position_ = 0;
  std::int64_t number_ = 0;
};

}  // namespace tidemark
