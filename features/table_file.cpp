// See table_file.hpp.
#include "features/table_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/base/civil_time.hpp"
#include "kernels/base/currency.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/base/utf8.hpp"

namespace tidemark {
namespace {

// What of a field may stand in a message.
constexpr std::size_t shown_bytes_max = 48;

}  // namespace

std::string day_text(std::int32_t day) {
  const std::int32_t month = month_of_day(day);
  return fmt::format("{:04}-{:02}-{:02}", month / 12, month % 12 + 1,
                     day - day_of_month_start(month) + 1);
}

std::string table_field(std::string_view text) {
  if (text.find_first_of(",\"") == std::string_view::npos && !text.starts_with('#')) {
    return std::string(text);
  }
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + '"';
}

bool parse_day(std::string_view text, std::int32_t& day) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto digits = [&](std::size_t from, std::size_t count) {
    int value = 0;
    for (const char c : text.substr(from, count)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  const int year = digits(0, 4), month = digits(5, 2), of_month = digits(8, 2);
  if (year < 1 || month < 1 || month > 12 || of_month < 1) return false;
  const std::int32_t start = day_of_month_start(year * 12 + month - 1);
  if (start + of_month > day_of_month_start(year * 12 + month)) return false;
  day = start + of_month - 1;
  return true;
}

TableFile::TableFile(std::string_view text, std::string origin,
                     std::span<const std::string_view> columns)
    : rest_(text), origin_(std::move(origin)), columns_(columns.begin(), columns.end()) {
  if (const auto offset = invalid_utf8_offset(text)) {
    line_ = 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + *offset, '\n'));
    throw UsageError(fmt::format("{}:{}: is no UTF-8", origin_, line_));
  }
  const std::string header = fmt::format("{}", fmt::join(columns_, ","));
  const bool any = take_line();
  const bool fits =
      any && std::equal(fields_.begin(), fields_.end(), columns_.begin(), columns_.end(),
                        [](const Field& field, const auto& name) { return field.text == name; });
  if (!fits) {
    throw UsageError(fmt::format("{}:{}: expected the header {}", origin_,
                                 std::max<std::size_t>(line_, 1), header));
  }
}

bool TableFile::take_line() {
  while (!rest_.empty()) {
    ++line_;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    split(line);
    return true;
  }
  return false;
}

void TableFile::split(std::string_view line) {
  fields_.clear();
  for (std::size_t at = 0;; ++at) {
    Field& field = fields_.emplace_back();
    field.column = at + 1;
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at >= line.size()) fail_at(field.column, "a quote that does not end");
        if (line[at] == '"' && (at + 1 >= line.size() || line[at + 1] != '"')) break;
        if (line[at] == '"') ++at;
        field.text += line[at];
      }
      ++at;
      if (at < line.size() && line[at] != ',') fail_at(at + 1, "expected a comma");
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      field.text = line.substr(at, end - at);
      at = end;
    }
    if (at >= line.size()) return;
  }
}

bool TableFile::next() {
  if (!take_line()) return false;
  if (fields_.size() != columns_.size()) {
    throw UsageError(fmt::format("{}:{}: {} fields, the header has {}", origin_, line_,
                                 fields_.size(), columns_.size()));
  }
  return true;
}

std::int32_t TableFile::day(std::size_t column) const {
  std::int32_t day = 0;
  if (!parse_day(field(column), day)) {
    fail(column, fmt::format("expected a day like 2024-02-29, got '{}'",
                             one_line(field(column), shown_bytes_max)));
  }
  return day;
}

std::uint32_t TableFile::currency(std::size_t column) const {
  const std::uint32_t code = pack_currency(field(column));
  if (currency_exponent(code) == unknown_currency_exponent) {
    fail(column, fmt::format("'{}' is no currency of ISO 4217", one_line(field(column), 16)));
  }
  return code;
}

double TableFile::number(std::size_t column, double least, double most) const {
  const std::string& text = field(column);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      !(value >= least && value <= most)) {
    fail(column, fmt::format("expected a number from {} to {}, got '{}'", least, most,
                             one_line(text, shown_bytes_max)));
  }
  return value;
}

void TableFile::fail(std::size_t column, const std::string& what) const {
  fail_at(fields_[column].column, columns_[column] + ": " + what);
}

void TableFile::fail_at(std::size_t column, const std::string& what) const {
  throw UsageError(fmt::format("{}:{}:{}: {}", origin_, line_, column, what));
}

void TableFile::fail_order(bool same, std::string_view columns) const {
  fail(0, same ? fmt::format("the line before has the same {}", columns)
               : fmt::format("lines are to be sorted by {}", columns));
}

}  // namespace tidemark
