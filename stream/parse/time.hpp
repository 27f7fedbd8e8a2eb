// Times: RFC 3339 text or epoch milliseconds to event time. Any thread; no time zone database.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark {

/// First and last millisecond that an event may carry: the years 1970 to 2261 in UTC.
inline constexpr std::int64_t event_time_ms_min = 0;
inline constexpr std::int64_t event_time_ms_max = 9'214'646'399'999;
/// First millisecond of the year 1: a merchant may have opened long before anything was recorded.
inline constexpr std::int64_t calendar_ms_min = -62'135'596'800'000;

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
std::int64_t days_of_date(std::int64_t year, int month, int day);

/// RFC 3339 with an offset; `T` and `Z` in either case, fractions of a second cut to milliseconds.
/// A leap second (23:59:60 UTC on the last day of June or December) is the start of the next
/// second. False: no such time, or outside `least_ms` (calendar_ms_min or later) to
/// event_time_ms_max; `ms` is then unchanged.
bool parse_rfc3339(std::string_view text, std::int64_t& ms,
                   std::int64_t least_ms = event_time_ms_min);

/// A JSON number without fraction or exponent: epoch milliseconds within the same range.
bool parse_epoch_ms(std::string_view digits, std::int64_t& ms,
                    std::int64_t least_ms = event_time_ms_min);

}  // namespace tidemark
