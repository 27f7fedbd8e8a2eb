// JSON models: numbers as the nearest float32, texts with escapes, and what is no JSON.
#include "models/model_document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <random>
#include <string>

#include "kernels/base/failure.hpp"
#include "models/json_number.hpp"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    parse_json(text, "m.json");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

double number(const std::string& text) {
  double value = -1;
  const char* const end = read_json_number(text.c_str(), value);
  EXPECT_EQ(end, text.c_str() + text.size()) << text;
  return value;
}

float nearest(const std::string& text) {
  float value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  EXPECT_EQ(read.ec, std::errc()) << text;
  return value;
}

void expect_nearest(const std::string& text) {
  ASSERT_EQ(std::bit_cast<std::uint64_t>(number(text)),
            std::bit_cast<std::uint64_t>(static_cast<double>(nearest(text))))
      << text;
}

/// Whatever float, in the shortest digits, in nine, and in so many that it lies between two.
TEST(JsonNumber, IsTheNearestFloat) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isfinite(value)) continue;
    const double middle =
        (static_cast<double>(value) + static_cast<double>(std::nextafter(value, 0.0f))) / 2;
    for (const auto& [digits, of] : {std::pair{9, static_cast<double>(value)}, {17, middle}}) {
      char text[64];
      std::snprintf(text, sizeof text, "%.*E", digits - 1, of);
      expect_nearest(text);
    }
    // Without an exponent, and near enough for the short way.
    char text[64];
    std::snprintf(text, sizeof text, "%.12f", static_cast<double>(value));
    if (std::fabs(value) > 1e-3f && std::fabs(value) < 1e3f) expect_nearest(text);
  }
}

TEST(JsonNumber, BetweenTwoFloatsTheDigitsBehindDecide) {
  expect_nearest("16777217.0");  // a middle: to the even one
  expect_nearest("16777217.000000001");
  expect_nearest("16777219.0");
  expect_nearest("16777218.999999999");
  // As doubles they are middles, as they stand they are not.
  EXPECT_EQ(number("8.000000476837159"), static_cast<double>(std::nextafter(8.0f, 9.0f)));
  expect_nearest("8.000001430511474");
  expect_nearest("-0.0");
  expect_nearest("-0E0");
}

TEST(JsonNumber, WholeNumbersStayWhole) {
  EXPECT_EQ(number("9007199254740991"), 9007199254740991.0);
  EXPECT_EQ(number("-16777217"), -16777217.0);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(number("-0")), 0u);
  EXPECT_EQ(number("9223372036854775807"), 9223372036854775807.0);
  EXPECT_EQ(number("true"), 1);
  EXPECT_EQ(number("false"), 0);
  EXPECT_EQ(number("-Infinity"), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(number("NaN")));
}

TEST(JsonNumber, NothingElseIsOne) {
  for (
      const char* const text :
      {"01",  "-01", "1.",  ".5",   "+1",       "1e",   "1E+",    "-",      "--1",           "0x10",
       "1_0", "nan", "inf", "tru}", "Infinit}", "1E39", "-1E999", "1E-999", "1e99999999999", "1 2",
       "1,",  ",1",  "1;2", ""}) {
    const std::string array = std::string("{\"a\":[") + text + "]}";
    if (*text == '\0') {
      EXPECT_EQ(refusal(array), "accepted");
      continue;
    }
    EXPECT_THAT(refusal(array), HasSubstr("m.json: not a JSON model")) << text;
    EXPECT_THAT(refusal("{\"a\":" + std::string(text) + "}"), HasSubstr("not a JSON model"))
        << text;
  }
}

TEST(JsonDocument, TextsAreUnescaped) {
  const DocumentValue document = parse_json(
      " { \"a\\u00e9\\\\\\\"\\/\\b\\f\\n\\r\\t\" : \"\\uD83D\\uDe00 \xe2\x82\xac\\u0000.\" } ",
      "m");
  ASSERT_EQ(document.members.size(), 1u);
  EXPECT_EQ(document.members[0].name, "a\xc3\xa9\\\"/\b\f\n\r\t");
  EXPECT_EQ(document.members[0].value.text, std::string("\xf0\x9f\x98\x80 \xe2\x82\xac\0.", 10));
}

TEST(JsonDocument, WhatIsNoJsonIsRefused) {
  for (const char* const text : {"",
                                 " ",
                                 "}",
                                 "{",
                                 "{]",
                                 "{}}",
                                 "{} {}",
                                 "{\"a\"}",
                                 "{\"a\":}",
                                 "{\"a\":1,}",
                                 "{a:1}",
                                 "{\"a\":nul}",
                                 "{\"a\":n u l l}",
                                 "{\"a\":[1,\"b\"]}",
                                 "{\"a\":[\"b\",]}",
                                 "{\"a\":[{},]}",
                                 "{\"a\":[[1],2}",
                                 "{\"a\" 1}",
                                 "{\"a\":1 \"b\":2}",
                                 "{\"a\":\"b}",
                                 "{\"a\":\"\\x\"}",
                                 "{\"a\":\"\\u12\"}",
                                 "{\"a\":\"\\uD83D\"}",
                                 "{\"a\":\"\\uDE00\"}",
                                 "{\"a\":\"\\uD83D\\u0041\"}",
                                 "{\"a\":\"\n\"}",
                                 "{\"a\":{\"b\":{}}",
                                 "{\"\xff\":1}",
                                 "{\"a\":\"\\}",
                                 "{\"a\":\"\\u}",
                                 "[1]"}) {
    EXPECT_THAT(refusal(text), HasSubstr("m.json: not a JSON model")) << text;
  }
}

TEST(JsonDocument, SaysWhere) {
  EXPECT_EQ(refusal("{\"a\":[1, 2.x]}"),
            "m.json: not a JSON model at byte 9, near '2.x]}': a number that is a float32 is due");
}

}  // namespace
}  // namespace tidemark
