// Letter lines: any bytes come back as they went, and what a person may get wrong is named.
#include "stream/redrive/letter_line.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "stream/encode/base64.hpp"

namespace tidemark {
namespace {

using testing::HasSubstr;

DeadLetter some_letter() {
  DeadLetter letter;
  letter.letter = {"dead-letter.v1", 3, 17};
  letter.original = {"payments", 2, 900};
  letter.error = "negative_amount";
  letter.message = "amount: \"-1\" is negative";
  letter.key = "m-1";
  letter.value = "{\"amount\":\"-1\"}";
  return letter;
}

const std::string some_line =
    R"({"letter":{"topic":"dead-letter.v1","partition":3,"offset":17},"error":"negative_amount",)"
    R"("message":"amount: \"-1\" is negative","topic":"payments","partition":2,"offset":900,)"
    R"("key":"m-1","value":"{\"amount\":\"-1\"}"})";

bool same(const DeadLetter& a, const DeadLetter& b) {
  return a.letter == b.letter && a.original == b.original && a.error == b.error &&
         a.message == b.message && a.key == b.key && a.value == b.value;
}

TEST(LetterLine, IsOneObjectInAFixedOrder) {
  EXPECT_EQ(letter_line(some_letter()), some_line);
  EXPECT_EQ(to_text(some_letter().letter), "dead-letter.v1/3/17");
}

TEST(LetterLine, BytesThatAreNoTextAreBase64AndNullsAreNull) {
  DeadLetter letter = some_letter();
  letter.key = std::nullopt;
  letter.value = std::string("\x00{\xFF", 3);
  EXPECT_THAT(letter_line(letter), HasSubstr(R"("key":null,"value_base64":"AHv/"})"));
}

RC_GTEST_PROP(LetterLine, ComesBackAsItWent, ()) {
  DeadLetter letter = some_letter();
  letter.message = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  letter.letter.offset = *rc::gen::nonNegative<std::int64_t>();
  // Texts, bytes and nulls.
  const auto bytes = [] {
    return *rc::gen::weightedOneOf<std::string>(
        {{2, rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127))},
         {1, rc::gen::arbitrary<std::string>()}});
  };
  if (*rc::gen::arbitrary<bool>()) letter.key = bytes();
  letter.value = std::nullopt;
  if (*rc::gen::arbitrary<bool>()) letter.value = bytes();
  std::string error;
  const auto back = read_letter_line(letter_line(letter), error);
  RC_ASSERT(back.has_value());
  RC_ASSERT(same(*back, letter));
}

TEST(LetterLine, AnyOrderAndSpacesWillDo) {
  std::string error;
  const auto letter = read_letter_line(
      R"( { "value_base64" : "e30=" , "key" : "m" , "offset" : 9 , "partition" : 0 ,
            "topic" : "signals" , "message" : "" , "error" : "late" ,
            "letter" : { "offset" : 1 , "topic" : "d" , "partition" : 2 } } )",
      error);
  ASSERT_TRUE(letter) << error;
  EXPECT_EQ(letter->value, "{}");
  EXPECT_EQ(letter->original.offset, 9);
  EXPECT_EQ(to_text(letter->letter), "d/2/1");
}

TEST(LetterLine, WhatIsWrongIsNamed) {
  const auto error_of = [](const std::string& from, const std::string& to) {
    std::string line = some_line;
    line.replace(line.find(from), from.size(), to);
    std::string error;
    EXPECT_FALSE(read_letter_line(line, error)) << line;
    return error;
  };
  EXPECT_EQ(error_of(R"("offset":900,)", ""), "offset: is missing");
  EXPECT_EQ(error_of(R"("offset":900)", R"("offset":"900")"), "offset: is no whole number from 0");
  EXPECT_EQ(error_of(R"("offset":900)", R"("offset":9.5)"), "offset: is no whole number from 0");
  EXPECT_EQ(error_of(R"("offset":17)", R"("offset":-1)"),
            "letter.offset: is no whole number from 0");
  EXPECT_EQ(error_of(R"("partition":3,)", ""), "letter.partition: is missing");
  EXPECT_EQ(error_of(R"("topic":"payments",)", R"("topic":null,)"), "topic: is no string");
  EXPECT_EQ(error_of(R"("key":"m-1",)", R"("key":"m-1","key":"m-2",)"), "key: is there twice");
  EXPECT_EQ(error_of(R"("key":"m-1",)", R"("key":"m-1","key_base64":"bQ==",)"),
            "key: is there beside key_base64");
  EXPECT_EQ(error_of(R"("key":"m-1",)", ""), "key: is missing");
  EXPECT_EQ(error_of(R"("key":"m-1",)", R"("key_base64":"bQ=",)"), "key_base64: is no base64");
  EXPECT_EQ(error_of(R"("key":"m-1",)", R"("key":"m-1","note":"mine",)"),
            "note: is no field of a letter");
  EXPECT_EQ(error_of(R"("{\"amount\":\"-1\"}")", R"({"amount":"1"})"),
            "value: is an object, not a string");
  EXPECT_EQ(error_of(R"("key":"m-1")", R"("key":["m-1"])"),
            "key: a list where a plain value belongs");
  EXPECT_THAT(error_of("}\"}", "}\""), HasSubstr("is no JSON object"));
  EXPECT_THAT(error_of("m-1", "m-\xff"), HasSubstr("UTF-8"));
}

TEST(LetterLine, EveryCutIsRefused) {
  for (std::size_t bytes = 0; bytes < some_line.size(); ++bytes) {
    std::string error;
    EXPECT_FALSE(read_letter_line(some_line.substr(0, bytes), error)) << bytes;
    EXPECT_FALSE(error.empty());
  }
  std::string error;
  EXPECT_FALSE(read_letter_line(some_line + "{}", error));
}

RC_GTEST_PROP(Base64, ComesBackAsItWent, (const std::string& bytes)) {
  RC_ASSERT(from_base64(base64(bytes)) == bytes);
}

TEST(Base64, OneTextForTheSameBytes) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "====", "Z===", "Zg=a", "Zm 9", "Zg==\n"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
  EXPECT_EQ(from_base64(""), "");
}

}  // namespace
}  // namespace tidemark
