// The oracle's exchange: looks through all lines of the table and multiplies decimal digits.
#include <limits>

#include "features/oracle_history.hpp"
#include "kernels/base/currency.hpp"

namespace tidemark {
namespace {

/// Decimal digits of a number, the last one first.
std::vector<int> digits_of(std::uint64_t number) {
  std::vector<int> digits;
  for (; number > 0; number /= 10) digits.push_back(static_cast<int>(number % 10));
  return digits;
}

std::vector<int> multiply(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> product(a.size() + b.size(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      product[i + j] += a[i] * b[j];
      product[i + j + 1] += product[i + j] / 10;
      product[i + j] %= 10;
    }
  }
  return product;
}

/// Nothing where it does not fit.
std::optional<std::int64_t> number_of(const std::vector<int>& digits, bool one_more) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::int64_t number = 0;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    if (number > (most - *digit) / 10) return std::nullopt;
    number = number * 10 + *digit;
  }
  if (!one_more) return number;
  return number == most ? std::nullopt : std::optional(number + 1);
}

}  // namespace

std::optional<std::int64_t> oracle_amount(const RateTable* rates, std::int64_t time_ms,
                                          std::int64_t amount_minor, CurrencyCode from,
                                          CurrencyCode to) {
  if (rates == nullptr) return std::nullopt;
  const absl::CivilDay today(
      absl::ToCivilSecond(absl::FromUnixMillis(time_ms), absl::UTCTimeZone()));
  const RateRow* newest = nullptr;
  for (const RateRow& row : rates->rows()) {
    if (row.from != from || row.to != to || absl::CivilDay(1970, 1, 1) + row.day > today) continue;
    if (newest == nullptr || row.day > newest->day) newest = &row;
  }
  if (newest == nullptr || newest->rate.digits == 0) return std::nullopt;
  std::vector<int> digits =
      multiply(digits_of(static_cast<std::uint64_t>(amount_minor)), digits_of(newest->rate.digits));
  // The product is in units of 10^-places; one in 10^-wanted is asked for.
  const int wanted = std::max(0, currency_exponent(to));
  int places = std::max(0, currency_exponent(from)) + newest->rate.decimals;
  for (; places < wanted; ++places) digits.insert(digits.begin(), 0);
  int dropped = 0;
  for (; places > wanted; --places) {
    dropped = digits.empty() ? 0 : digits.front();
    if (!digits.empty()) digits.erase(digits.begin());
  }
  return number_of(digits, dropped >= 5);
}

}  // namespace tidemark
