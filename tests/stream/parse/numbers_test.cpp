// Amounts against decimal text, times against the calendar of the standard library, and the list of
// currencies.
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "kernels/base/currency.hpp"
#include "stream/parse/amount.hpp"
#include "stream/parse/time.hpp"

namespace tidemark {
namespace {

/// The answer by text alone: put the digits in a row and compare them with the largest int64.
AmountError expected_amount(const std::string& text, int exponent, std::string& minor) {
  const auto point = text.find('.');
  const std::string whole = text.substr(0, point);
  std::string decimals = point == std::string::npos ? "" : text.substr(point + 1);
  if (static_cast<int>(decimals.size()) > exponent) return AmountError::precision;
  decimals.resize(static_cast<std::size_t>(exponent), '0');
  minor = whole + decimals;
  minor.erase(0, std::min(minor.find_first_not_of('0'), minor.size() - 1));
  const std::string largest = "9223372036854775807";
  const bool fits =
      minor.size() < largest.size() || (minor.size() == largest.size() && minor <= largest);
  return fits ? AmountError::none : AmountError::overflow;
}

TEST(Amount, IsExactForRandomDecimals) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    const auto digits = [&](std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('0' + random() % 10);
    };
    digits(1 + random() % 21);
    if (random() % 3 != 0) {
      text += '.';
      digits(1 + random() % 5);
    }
    const int exponent = static_cast<int>(random() % 5);
    ASSERT_EQ(check_amount(text), AmountError::none) << text;
    ASSERT_EQ(check_amount("-" + text), AmountError::negative) << text;
    std::string minor;
    std::int64_t got = -1;
    const AmountError expected = expected_amount(text, exponent, minor);
    ASSERT_EQ(convert_amount(text, exponent, got), expected) << text << " " << exponent;
    if (expected == AmountError::none) {
      ASSERT_EQ(std::to_string(got), minor) << text;
    } else {
      ASSERT_EQ(got, -1);
    }
  }
}

TEST(Amount, TheLargestFits) {
  std::int64_t minor = 0;
  EXPECT_EQ(convert_amount("92233720368547758.07", 2, minor), AmountError::none);
  EXPECT_EQ(minor, INT64_MAX);
  EXPECT_EQ(convert_amount("0000000000000000000000000000007.5", 2, minor), AmountError::none);
  EXPECT_EQ(minor, 750);
}

TEST(Time, EveryDayOfTheRangeIsRight) {
  using namespace std::chrono;
  for (sys_days day{year{1970} / 1 / 1}; day <= sys_days{year{2261} / 12 / 31}; day += days{1}) {
    const year_month_day date{day};
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02u-%02ut23:59:58.001z", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    std::int64_t ms = 0;
    ASSERT_TRUE(parse_rfc3339(text, ms)) << text;
    ASSERT_EQ(ms, (day.time_since_epoch() / days{1} + 1) * 86'400'000LL - 2000 + 1) << text;
  }
}

TEST(Time, DatesThatDoNotExistAreRefused) {
  for (int year = 1970; year <= 2261; ++year) {
    for (unsigned month = 0; month <= 13; ++month) {
      for (unsigned day = 0; day <= 32; ++day) {
        const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                                               std::chrono::day{day}};
        char text[32];
        std::snprintf(text, sizeof text, "%04d-%02u-%02uT12:00:00Z", year, month, day);
        std::int64_t ms = 0;
        ASSERT_EQ(parse_rfc3339(text, ms), date.ok()) << text;
      }
    }
  }
}

TEST(Time, OffsetsMoveTheInstant) {
  std::int64_t ms = 0;
  const auto at = [&](const char* text) { return parse_rfc3339(text, ms) ? ms : -1; };
  const std::int64_t noon = 1'522'584'000'000;
  EXPECT_EQ(at("2018-04-01T12:00:00Z"), noon);
  EXPECT_EQ(at("2018-04-01T12:00:00-00:00"), noon);
  EXPECT_EQ(at("2018-04-01T20:00:00+08:00"), noon);
  EXPECT_EQ(at("2018-04-01T02:15:00-09:45"), noon);
  EXPECT_EQ(at("2018-04-02T11:59:00+23:59"), noon);
  EXPECT_EQ(at("1969-12-31T23:59:59-00:01"), 59'000);
  EXPECT_EQ(at("2261-12-31T23:59:59.999Z"), event_time_ms_max);
  EXPECT_EQ(at("2262-01-01T00:00:00.000Z"), -1);
  EXPECT_EQ(at("2262-01-01T00:00:00.999+00:01"), event_time_ms_max - 59'000);
}

TEST(Time, FractionsAreCutAndLeapSecondsAreTheNextSecond) {
  std::int64_t ms = 0;
  const auto at = [&](const char* text) { return parse_rfc3339(text, ms) ? ms : -1; };
  EXPECT_EQ(at("1970-01-01T00:00:00.9999999999999999999999Z"), 999);
  EXPECT_EQ(at("1970-01-01T00:00:00.1Z"), 100);
  EXPECT_EQ(at("2016-12-31T23:59:60Z"), 1'483'228'800'000);
  EXPECT_EQ(at("2016-12-31T23:59:60.75Z"), 1'483'228'800'000);
  EXPECT_EQ(at("2015-07-01T07:59:60+08:00"), 1'435'708'800'000);
  EXPECT_EQ(at("2015-06-30T23:59:60Z"), 1'435'708'800'000);
  EXPECT_EQ(at("2016-11-30T23:59:60Z"), -1);
  EXPECT_EQ(at("2016-12-31T23:58:60Z"), -1);
  EXPECT_EQ(at("2015-06-30T23:59:60+08:00"), -1);
}

TEST(Time, EpochMilliseconds) {
  std::int64_t ms = 7;
  EXPECT_TRUE(parse_epoch_ms("0", ms));
  EXPECT_EQ(ms, 0);
  EXPECT_TRUE(parse_epoch_ms("9214646399999", ms));
  EXPECT_EQ(ms, event_time_ms_max);
  for (const char* bad : {"-1", "9214646400000", "1.0", "1e3", "99999999999999999999"}) {
    EXPECT_FALSE(parse_epoch_ms(bad, ms)) << bad;
  }
}

TEST(Currency, ExponentsOfIso4217) {
  const auto of = [](const char* code) { return currency_exponent(pack_currency(code)); };
  EXPECT_EQ(of("CNY"), 2);
  EXPECT_EQ(of("JPY"), 0);
  EXPECT_EQ(of("KWD"), 3);
  EXPECT_EQ(of("CLF"), 4);
  EXPECT_EQ(of("USD"), 2);
  EXPECT_EQ(of("XAU"), unknown_currency_exponent);
  EXPECT_EQ(of("AAA"), unknown_currency_exponent);
  EXPECT_EQ(of("usd"), unknown_currency_exponent);
  EXPECT_EQ(of("US"), unknown_currency_exponent);
  EXPECT_EQ(currency_exponent(0xffffffff), unknown_currency_exponent);
  EXPECT_EQ(currency_letters(pack_currency("KWD")), "KWD");
  EXPECT_EQ(currency_letters(0), "");
  int known = 0;
  for (char a = 'A'; a <= 'Z'; ++a) {
    for (char b = 'A'; b <= 'Z'; ++b) {
      for (char c = 'A'; c <= 'Z'; ++c) {
        known += currency_exponent(pack_currency(std::string{a, b, c})) >= 0 ? 1 : 0;
      }
    }
  }
  EXPECT_EQ(known, 174);
}

}  // namespace
}  // namespace tidemark
