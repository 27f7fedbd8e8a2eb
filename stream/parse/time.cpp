// Times: RFC 3339 text or epoch milliseconds to event time.
#include "stream/parse/time.hpp"

#include <charconv>
#include <cstddef>

namespace tidemark {
namespace {

constexpr bool is_digit(char c) {
  return static_cast<unsigned char>(c - '0') < 10;
}

/// Value of two digits, or a value above 99 that no field accepts.
constexpr int two_digits(const char* at) {
  if (!is_digit(at[0]) || !is_digit(at[1])) return 1000;
  return (at[0] - '0') * 10 + (at[1] - '0');
}

constexpr bool is_leap_year(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

constexpr int days_in_month(int year, int month) {
  constexpr int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

struct Clock {
  int year, month, day, hour, minute, second;
};

/// The fixed part, YYYY-MM-DDThh:mm:ss, that is 19 characters.
bool read_clock(const char* at, Clock& clock) {
  const int century = two_digits(at), year = two_digits(at + 2);
  if (century > 99 || year > 99) return false;
  clock = {century * 100 + year, two_digits(at + 5),  two_digits(at + 8),
           two_digits(at + 11),  two_digits(at + 14), two_digits(at + 17)};
  const bool separated =
      at[4] == '-' && at[7] == '-' && (at[10] | 0x20) == 't' && at[13] == ':' && at[16] == ':';
  return separated && clock.month >= 1 && clock.month <= 12 && clock.day >= 1 &&
         clock.day <= days_in_month(clock.year, clock.month) && clock.hour <= 23 &&
         clock.minute <= 59 && clock.second <= 60;
}

/// The offset, Z or +hh:mm or -hh:mm, to the end of the text.
bool read_offset(std::string_view text, int& minutes) {
  if (text.size() == 1 && (text[0] | 0x20) == 'z') {
    minutes = 0;
    return true;
  }
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
  const int hour = two_digits(text.data() + 1), minute = two_digits(text.data() + 4);
  if (hour > 23 || minute > 59) return false;
  minutes = (hour * 60 + minute) * (text[0] == '-' ? -1 : 1);
  return true;
}

/// Leap seconds have only ever been put at the end of June or December, at midnight UTC.
bool is_leap_second_end(std::int64_t second) {
  if (second < 0 || second % 86'400 != 0) return false;  // the first one was in 1972
  const std::int64_t day = second / 86'400;
  // Years around the guess are enough: a mean year is 365.2425 days.
  const std::int64_t guess = 1970 + day / 366;
  for (std::int64_t year = guess; year <= guess + 2; ++year) {
    if (day == days_of_date(year, 7, 1) || day == days_of_date(year, 1, 1)) return true;
  }
  return false;
}

}  // namespace

std::int64_t days_of_date(std::int64_t year, int month, int day) {
  // Years that start in March put the leap day last (H. Hinnant, "chrono-compatible low-level date
  // algorithms"). Plain division is exact from year 1 on; the year 0 is out of range either way.
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t shifted_month = month > 2 ? month - 3 : month + 9;
  const std::int64_t day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
  return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719'468;
}

bool parse_rfc3339(std::string_view text, std::int64_t& ms, std::int64_t least_ms) {
  Clock clock;
  if (text.size() < 20 || !read_clock(text.data(), clock)) return false;
  std::size_t at = 19;
  int fraction_ms = 0;
  if (text[at] == '.') {
    const std::size_t first = ++at;
    int scale = 100;
    for (; at < text.size() && is_digit(text[at]); ++at, scale /= 10) {
      fraction_ms += (text[at] - '0') * scale;
    }
    if (at == first) return false;
  }
  int offset_minutes = 0;
  if (!read_offset(text.substr(at), offset_minutes)) return false;
  const std::int64_t minute_of_day = clock.hour * 60 + clock.minute - offset_minutes;
  const std::int64_t second =
      days_of_date(clock.year, clock.month, clock.day) * 86'400 + minute_of_day * 60 + clock.second;
  if (clock.second == 60) {
    if (!is_leap_second_end(second)) return false;
    fraction_ms = 0;
  }
  const std::int64_t instant = second * 1000 + fraction_ms;
  if (instant < least_ms || instant > event_time_ms_max) return false;
  ms = instant;
  return true;
}

bool parse_epoch_ms(std::string_view digits, std::int64_t& ms, std::int64_t least_ms) {
  std::int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc{} || stop != end) return false;
  if (value < least_ms || value > event_time_ms_max) return false;
  ms = value;
  return true;
}

}  // namespace tidemark
