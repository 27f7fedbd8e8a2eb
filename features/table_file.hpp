// A versioned table as a file: CSV with a header and an as-of date in every line, read whole when a
// run starts. What does not fit is an error that names file, line, column and field. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

/// A larger file is refused before it is read.
inline constexpr std::size_t table_bytes_max = std::size_t{64} << 20;

/// The lines of such a file, one at a time. Fields may stand in quotes, as RFC 4180 has them, but
/// not go over a line; lines that are empty or begin with # are skipped.
class TableFile {
 public:
  /// `origin` is the file's name, for messages. Throws UsageError unless the text is UTF-8 and its
  /// first line lists `columns`.
  TableFile(std::string_view text, std::string origin, std::span<const std::string_view> columns);

  /// Goes to the next line; false behind the last one. Throws UsageError for another number of
  /// fields than there are columns.
  bool next();
  const std::string& field(std::size_t column) const { return fields_[column].text; }
  std::size_t line() const { return line_; }

  /// A day like 2024-02-29, as days since 1970-01-01.
  std::int32_t day(std::size_t column) const;
  /// A currency of ISO 4217, packed.
  std::uint32_t currency(std::size_t column) const;
  /// A plain decimal number like 0.0034, as float64 reads it, from `least` to `most`.
  double number(std::size_t column, double least, double most) const;

  /// Throws UsageError `origin:line:column: field: what`.
  [[noreturn]] void fail(std::size_t column, const std::string& what) const;
  /// Refuses a line whose key is not above that of the line before it; `columns` are the key's.
  template <typename Key>
  void check_order(const Key& before, const Key& key, std::string_view columns) const {
    if (!(before < key)) fail_order(before == key, columns);
  }

 private:
  struct Field {
    std::string text;
    std::size_t column = 0;  // of its first character, from 1
  };
  [[noreturn]] void fail_order(bool same, std::string_view columns) const;
  bool take_line();
  void split(std::string_view line);
  [[noreturn]] void fail_at(std::size_t column, const std::string& what) const;

  std::string_view rest_;
  std::string origin_;
  std::vector<std::string> columns_;
  std::vector<Field> fields_;
  std::size_t line_ = 0;
};

/// Text as a field that a TableFile reads back, unless it has a line's end in it.
std::string table_field(std::string_view text);
/// A day as 2024-02-29.
std::string day_text(std::int32_t day);
/// The day of such a text; false where it is none of the years 1 to 9999.
bool parse_day(std::string_view text, std::int32_t& day);

}  // namespace tidemark
