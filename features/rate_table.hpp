// Exchange rates by day: what an amount is in another currency as of an event's time, exactly, in
// integers. Loaded when a run starts, immutable from then on, read by any thread. It guesses
// nothing: no inverse of a rate, no way through a third currency.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/event_batch.hpp"

namespace tidemark {

/// What one major unit is in the other currency: digits / 10^decimals. No digits: there is none.
struct Rate {
  std::uint64_t digits = 0;
  int decimals = 0;
};
inline constexpr int rate_digits_max = 18;

/// A rate and the first day, by UTC, on which it holds.
struct RateRow {
  CurrencyCode from = 0, to = 0;
  std::int32_t day = 0;
  Rate rate;
};

class RateTable {
 public:
  /// Reads a file of lines `as_of,from,to,rate`, sorted by the first three, each once. Throws
  /// UsageError naming file, line and field.
  static std::shared_ptr<const RateTable> load(const std::filesystem::path& file);
  /// The same from text; `origin` stands for the file in messages.
  static std::shared_ptr<const RateTable> parse(std::string_view text, const std::string& origin);

  /// The rate of the newest line of the pair that is not after the instant's day. Nothing where
  /// there is none, or that line ends the pair.
  std::optional<Rate> find(CurrencyCode from, CurrencyCode to, std::int64_t time_ms) const;
  /// By pair, then by day.
  std::span<const RateRow> rows() const { return rows_; }

 private:
  RateTable() = default;
  std::vector<RateRow> rows_;
};

/// `amount_minor` of one currency in minor units of another, rounded half up, with the digits that
/// either has after the point. Nothing where 63 bits do not hold it. The amount is not negative.
std::optional<std::int64_t> convert_amount(std::int64_t amount_minor, int exponent_from, Rate rate,
                                           int exponent_to);

}  // namespace tidemark
