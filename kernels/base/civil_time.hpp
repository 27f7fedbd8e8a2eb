// Days, weeks and months in a time zone, with integers only, so that host and device agree to the
// bit. Zones are loaded once from the machine's IANA data into plain tables, live as long as the
// process and are read by any thread. No formatting, no parsing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/host_device.hpp"

namespace tidemark {

inline constexpr std::int64_t ms_per_minute = 60'000;
inline constexpr std::int64_t ms_per_hour = 3'600'000;
inline constexpr std::int64_t ms_per_day = 86'400'000;

/// Rounds towards minus infinity, as times before 1970 need; `divisor` > 0.
TIDEMARK_HD constexpr std::int64_t floor_div(std::int64_t value, std::int64_t divisor) {
  const std::int64_t quotient = value / divisor;
  return quotient - (value % divisor < 0 ? 1 : 0);
}

/// Offsets of one zone. Span i begins at from_ms[i]; from_ms[0] is the beginning of time. `grid`
/// gives the span in force at the start of each cell of 2^34 ms (199 days), so a look-up takes one
/// load and a step or two instead of a binary search.
struct ZoneView {
  static constexpr int cell_shift = 34;
  static constexpr std::int64_t grid_begin_ms = -4'398'046'511'104;  // 1830, a multiple of the cell
  const std::int64_t* from_ms = nullptr;
  const std::int32_t* offset_ms = nullptr;
  const std::uint16_t* grid = nullptr;
  std::int32_t spans = 0;
  std::int32_t cells = 0;
};

/// Local time minus UTC at an instant.
TIDEMARK_HD inline std::int32_t zone_offset_ms(const ZoneView& zone, std::int64_t utc_ms) {
  std::int64_t cell = utc_ms < ZoneView::grid_begin_ms
                          ? 0
                          : (utc_ms - ZoneView::grid_begin_ms) >> ZoneView::cell_shift;
  if (cell >= zone.cells) cell = zone.cells - 1;
  std::int32_t span = zone.grid[cell];
  while (span + 1 < zone.spans && zone.from_ms[span + 1] <= utc_ms) ++span;
  return zone.offset_ms[span];
}

/// Day number of a local time, 0 = 1970-01-01.
TIDEMARK_HD constexpr std::int32_t day_of_local_ms(std::int64_t local_ms) {
  return static_cast<std::int32_t>(floor_div(local_ms, ms_per_day));
}

/// Hour of the day, 0 to 23.
TIDEMARK_HD constexpr int hour_of_local_ms(std::int64_t local_ms) {
  return static_cast<int>((local_ms - floor_div(local_ms, ms_per_day) * ms_per_day) / ms_per_hour);
}

/// 0 = Monday to 6 = Sunday.
TIDEMARK_HD constexpr int weekday_of_day(std::int32_t day) {
  const int shifted = (day + 3) % 7;  // day 0 was a Thursday
  return shifted < 0 ? shifted + 7 : shifted;
}

/// Week number; weeks begin on Monday, week 0 holds 1970-01-01.
TIDEMARK_HD constexpr std::int32_t week_of_day(std::int32_t day) {
  return static_cast<std::int32_t>(floor_div(static_cast<std::int64_t>(day) + 3, 7));
}

/// Month number in the Gregorian calendar: year * 12 + (month - 1). Counts years from March in
/// 400-year eras, so that the leap day comes last and the month follows from a line through the
/// days (the method of Howard Hinnant's "chrono-compatible low-level date algorithms").
TIDEMARK_HD constexpr std::int32_t month_of_day(std::int32_t day) {
  const std::int64_t shifted = static_cast<std::int64_t>(day) + 719'468;  // since 0000-03-01
  const std::int64_t era = floor_div(shifted, 146'097);
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t months = (era * 400 + year_of_era) * 12 + month_from_march + 2;
  return static_cast<std::int32_t>(months);
}

/// First day of a month numbered as by month_of_day().
TIDEMARK_HD constexpr std::int32_t day_of_month_start(std::int32_t month) {
  const std::int64_t from_march = static_cast<std::int64_t>(month) - 2;
  const std::int64_t year = floor_div(from_march, 12);
  const std::int64_t month_from_march = from_march - year * 12;
  const std::int64_t era = floor_div(year, 400);
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * month_from_march + 2) / 5;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return static_cast<std::int32_t>(era * 146'097 + day_of_era - 719'468);
}

/// Owner of one zone's tables. Offsets are known until 2200; the last one stays after that.
class Zone {
 public:
  const std::string& name() const { return name_; }
  /// Small number of this zone in this process; not the same in another process.
  std::uint16_t id() const { return id_; }
  const ZoneView& view() const { return view_; }

 private:
  friend const Zone* find_zone(std::string_view name);
  Zone() = default;
  std::string name_;
  std::uint16_t id_ = 0;
  std::vector<std::int64_t> from_ms_;
  std::vector<std::int32_t> offset_ms_;
  std::vector<std::uint16_t> grid_;
  ZoneView view_;
};

/// The zone of an IANA name ("Asia/Shanghai", "UTC"), or nullptr where there is none. Names are
/// case-sensitive; paths, "localtime" and POSIX rules are no names. Any thread; loads once.
const Zone* find_zone(std::string_view name);
/// The zone with that id(); it must have been handed out by find_zone. Never blocks.
const Zone& zone_of_id(std::uint16_t id);

}  // namespace tidemark
