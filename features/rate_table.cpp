// See rate_table.hpp.
#include "features/rate_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "features/table_file.hpp"
#include "kernels/base/civil_time.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/base/read_file.hpp"
#include "kernels/base/utf8.hpp"
#include "kernels/window/ages.hpp"

namespace tidemark {
namespace {

constexpr std::string_view rate_columns[] = {"as_of", "from", "to", "rate"};
enum Column : std::size_t { as_of_column, from_column, to_column, rate_column };

/// A plain decimal number above zero, or nothing at all.
Rate read_rate(const TableFile& table) {
  const std::string& text = table.field(rate_column);
  if (text.starts_with('-')) table.fail(rate_column, "is negative");
  Rate read;
  int digits = 0;
  bool point = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool inside = i > 0 && i + 1 < text.size();
    if (text[i] == '.' && !point && inside) {
      point = true;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') {
      table.fail(rate_column, fmt::format("expected a plain decimal number like 7.2034, got '{}'",
                                          one_line(text, 32)));
    }
    if (point) ++read.decimals;
    if (++digits > rate_digits_max) {
      table.fail(rate_column, fmt::format("has more than {} digits", rate_digits_max));
    }
    read.digits = read.digits * 10 + static_cast<std::uint64_t>(text[i] - '0');
  }
  if (!text.empty() && read.digits == 0) {
    table.fail(rate_column, "is zero; an empty field says that there is none from this day on");
  }
  return read;
}

constexpr Wide power_of_ten(int exponent) {
  Wide power = 1;
  for (int digit = 0; digit < exponent; ++digit) power *= 10;
  return power;
}

}  // namespace

std::shared_ptr<const RateTable> RateTable::load(const std::filesystem::path& file) {
  return parse(read_file(file, table_bytes_max), file.string());
}

std::shared_ptr<const RateTable> RateTable::parse(std::string_view text,
                                                  const std::string& origin) {
  const std::shared_ptr<RateTable> rates(new RateTable);
  TableFile table(text, origin, rate_columns);
  using Key = std::tuple<std::int32_t, std::string, std::string>;
  Key before;
  while (table.next()) {
    RateRow row;
    row.day = table.day(as_of_column);
    row.from = table.currency(from_column);
    row.to = table.currency(to_column);
    if (row.from == row.to) table.fail(to_column, "is the currency itself");
    row.rate = read_rate(table);
    Key key{row.day, table.field(from_column), table.field(to_column)};
    if (!rates->rows_.empty()) table.check_order(before, key, "as_of, from, to");
    before = std::move(key);
    rates->rows_.push_back(row);
  }
  if (rates->rows_.empty()) throw UsageError(origin + ": holds no rate");
  std::sort(rates->rows_.begin(), rates->rows_.end(), [](const RateRow& a, const RateRow& b) {
    return std::tie(a.from, a.to, a.day) < std::tie(b.from, b.to, b.day);
  });
  return rates;
}

std::optional<Rate> RateTable::find(CurrencyCode from, CurrencyCode to,
                                    std::int64_t time_ms) const {
  const auto key = std::tuple(from, to, day_of_local_ms(time_ms));
  const auto after = std::upper_bound(
      rows_.begin(), rows_.end(), key,
      [](const auto& k, const RateRow& row) { return k < std::tuple(row.from, row.to, row.day); });
  if (after == rows_.begin()) return std::nullopt;
  const RateRow& row = *std::prev(after);
  if (row.from != from || row.to != to || row.rate.digits == 0) return std::nullopt;
  return row.rate;
}

// An amount is below 2^63 and a rate below 10^18, so their product is below 2^123.
std::optional<std::int64_t> convert_amount(std::int64_t amount_minor, int exponent_from, Rate rate,
                                           int exponent_to) {
  constexpr Wide most = static_cast<Wide>(std::numeric_limits<std::int64_t>::max());
  const Wide product = static_cast<Wide>(amount_minor) * rate.digits;
  const int shift = exponent_to - exponent_from - rate.decimals;
  Wide amount = 0;
  if (shift >= 0) {
    const Wide factor = power_of_ten(shift);
    if (product > most / factor) return std::nullopt;
    amount = product * factor;
  } else {
    const Wide divisor = power_of_ten(-shift);
    amount = product / divisor + (product % divisor * 2 >= divisor ? 1 : 0);
  }
  if (amount > most) return std::nullopt;
  return static_cast<std::int64_t>(amount);
}

}  // namespace tidemark
