// The integer calendar against Abseil's: every day of 300 years, and every zone that tests use
// around each of its changes of offset.
#include "kernels/base/civil_time.hpp"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>
#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(CivilTime, MonthsWeeksAndWeekdaysMatchAbseil) {
  const absl::CivilDay epoch(1970, 1, 1);
  for (std::int32_t day = -60'000; day < 90'000; ++day) {
    const absl::CivilDay civil = epoch + day;
    ASSERT_EQ(month_of_day(day), civil.year() * 12 + civil.month() - 1) << civil;
    ASSERT_EQ(weekday_of_day(day), static_cast<int>(absl::GetWeekday(civil))) << civil;
    const absl::CivilDay monday = absl::PrevWeekday(civil + 1, absl::Weekday::monday);
    ASSERT_EQ(week_of_day(day), week_of_day(static_cast<std::int32_t>(monday - epoch))) << civil;
    ASSERT_EQ(week_of_day(static_cast<std::int32_t>(monday - epoch)) - 1,
              week_of_day(static_cast<std::int32_t>(monday - epoch) - 1));
    ASSERT_EQ(day_of_month_start(month_of_day(day)),
              absl::CivilDay(absl::CivilMonth(civil)) - epoch)
        << civil;
  }
}

TEST(CivilTime, HoursAndDaysBeforeTheEpochRoundDown) {
  EXPECT_EQ(day_of_local_ms(-1), -1);
  EXPECT_EQ(hour_of_local_ms(-1), 23);
  EXPECT_EQ(day_of_local_ms(0), 0);
  EXPECT_EQ(hour_of_local_ms(ms_per_day - 1), 23);
}

TEST(CivilTime, OffsetsMatchAbseilAroundEveryChange) {
  for (const char* name : {"UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin",
                           "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca",
                           "Pacific/Apia", "Asia/Kathmandu", "America/Asuncion"}) {
    const Zone* zone = find_zone(name);
    ASSERT_NE(zone, nullptr) << name;
    absl::TimeZone truth;
    ASSERT_TRUE(absl::LoadTimeZone(name, &truth));
    const auto expect_same = [&](std::int64_t at_ms) {
      const auto offset_s = truth.At(absl::FromUnixMillis(at_ms)).offset;
      ASSERT_EQ(zone_offset_ms(zone->view(), at_ms), offset_s * 1000) << name << " " << at_ms;
    };
    for (std::int64_t at_ms = -4'000'000'000'000; at_ms < 7'200'000'000'000;
         at_ms += 86'400'000LL * 3 + 3'601'001) {
      expect_same(at_ms);
    }
    for (std::int32_t span = 1; span < zone->view().spans; ++span) {
      expect_same(zone->view().from_ms[span] - 1);
      expect_same(zone->view().from_ms[span]);
    }
  }
}

TEST(CivilTime, NamesThatAreNoZones) {
  for (const char* name : {"", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "localtime",
                           "utc+3", "posix/UTC", "Asia", "Asia/Shanghai ", "TZif"}) {
    EXPECT_EQ(find_zone(name), nullptr) << name;
  }
}

TEST(CivilTime, AZoneIsLoadedOnceAndFoundByItsNumber) {
  const Zone* zone = find_zone("Asia/Shanghai");
  ASSERT_NE(zone, nullptr);
  EXPECT_EQ(find_zone("Asia/Shanghai"), zone);
  EXPECT_EQ(&zone_of_id(zone->id()), zone);
}

}  // namespace
}  // namespace tidemark
