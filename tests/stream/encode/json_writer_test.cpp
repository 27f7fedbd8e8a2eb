// Numbers and times of the pen against slow, obvious ways of writing them.
#include "stream/encode/json_writer.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <ctime>

namespace tidemark {
namespace {

template <typename Write>
std::string written(Write write) {
  char buffer[256];
  JsonWriter json(buffer);
  write(json);
  return {buffer, static_cast<std::size_t>(json.at() - buffer)};
}

std::string rounded(double value, int digits) {
  return written([&](JsonWriter& json) { json.rounded(value, digits); });
}

std::string decimal(std::int64_t minor, int exponent) {
  return written([&](JsonWriter& json) { json.decimal(minor, exponent); });
}

std::string number(float value) {
  return written([&](JsonWriter& json) { json.number(value); });
}

TEST(JsonWriter, RoundsHalfUpAndDropsZeros) {
  EXPECT_EQ(rounded(0, 6), "0");
  EXPECT_EQ(rounded(1, 6), "1");
  EXPECT_EQ(rounded(0.5, 6), "0.5");
  EXPECT_EQ(rounded(0.0000004, 6), "0");
  EXPECT_EQ(rounded(0.0000005, 6), "0.000001");
  EXPECT_EQ(rounded(0.9999996, 6), "1");
  EXPECT_EQ(rounded(-0.0000001, 6), "0") << "no minus without a digit behind it";
  EXPECT_EQ(rounded(-12.345, 2), "-12.35");
  EXPECT_EQ(rounded(0.0 / 0.0, 6), "null");
}

TEST(JsonWriter, DecimalsOfEveryExponent) {
  EXPECT_EQ(decimal(12345, 2), "123.45");
  EXPECT_EQ(decimal(5, 2), "0.05");
  EXPECT_EQ(decimal(0, 3), "0.000");
  EXPECT_EQ(decimal(7, 0), "7");
  EXPECT_EQ(decimal(-5, 2), "-0.05");
  EXPECT_EQ(decimal(INT64_MAX, 2), "92233720368547758.07");
  EXPECT_EQ(decimal(INT64_MIN, 2), "-92233720368547758.08");
}

TEST(JsonWriter, FloatsAreShortestAndPlain) {
  EXPECT_EQ(number(57.16F), "57.16");
  EXPECT_EQ(number(1e8F), "100000000");
  EXPECT_EQ(number(1.0F / 3), "0.33333334");
  EXPECT_EQ(number(HUGE_VALF), "null");
}

RC_GTEST_PROP(JsonWriterProperty, FloatsReadBack, (std::uint32_t bits)) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  RC_PRE(std::isfinite(value));
  const std::string text = number(value);
  RC_ASSERT(std::strtof(text.c_str(), nullptr) == value);
  RC_ASSERT(text.find('e') == std::string::npos);
  RC_ASSERT(text.size() <= number_bytes_max);
}

TEST(JsonWriter, TimesAgreeWithTheLibrary) {
  // Every 13 days and some hours over eight centuries, so that all kinds of leap years are met.
  for (std::int64_t ms = -11'644'473'600'000; ms < 15'000'000'000'000; ms += 1'132'987'654) {
    const std::int64_t second = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
    const auto instant = static_cast<std::time_t>(second);
    std::tm parts{};
    gmtime_r(&instant, &parts);
    char day[32], expected[40];
    std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(expected, sizeof expected, "%s.%03dZ", day, static_cast<int>(ms - second * 1000));
    ASSERT_EQ(written([&](JsonWriter& json) { json.time(ms); }), expected);
  }
}

TEST(JsonString, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(json_string("a\xC3\xA9"), "\"a\xC3\xA9\"");
  EXPECT_EQ(json_string("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  EXPECT_EQ(json_string("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(json_string("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace tidemark
