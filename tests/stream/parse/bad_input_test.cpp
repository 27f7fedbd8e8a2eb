// The corpus of bad input: each line has one error and a message that names the field, and the good
// events around it are as if it were not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stream/parse/parse_support.hpp"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct BadLine {
  const char* what;
  Source source;
  std::string value;
  RowError error;
  const char* field;  // how the message begins
};

const std::string good_payment =
    R"({"event_id":"p-19","merchant_id":"t-3156","type":"payment",)"
    R"("event_time":"2018-04-01T00:00:31Z",)"
    R"("amount":"57.16","currency":"CNY","payer_id":"c-596","channel":"pos","certified":true,)"
    R"("ref_event_id":null,"invoice_id":null,"order_id":null})";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string payment(const std::string& from, const std::string& to) {
  return replaced(good_payment, from, to);
}

std::string amount(const std::string& json) {
  return payment(R"("57.16")", json);
}
std::string currency(const std::string& json) {
  return payment(R"("CNY")", json);
}
std::string event_time(const std::string& json) {
  return payment(R"("2018-04-01T00:00:31Z")", json);
}

const std::string good_invoice =
    R"({"event_id":"i-1","merchant_id":"m","type":"issued","event_time":1700000000000,)"
    R"("invoice_id":"n-1","amount":"5","currency":"JPY"})";
const std::string good_profile = R"({"merchant_id":"m","event_time":1700000000000})";
const std::string good_signal =
    R"({"event_id":"s","merchant_id":"m","event_time":1700000000000,"name":"power","value":1.5})";
const std::string good_feedback =
    R"({"event_id":"f","merchant_id":"m","type":"fraud","event_time":1700000000000})";
const std::string good_control =
    R"({"event_id":"c","type":"overlay","event_time":1700000000000,"factor":0.5})";

std::vector<BadLine> structure_lines() {
  const auto p = Source::payments;
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  return {
      {"empty", p, "", RowError::empty_value, "value: "},
      {"spaces", p, "  \t ", RowError::invalid_json, "value: "},
      {"text", p, "hello", RowError::invalid_json, "value: "},
      {"number", p, "17", RowError::not_an_object, "value: "},
      {"string", p, "\"x\"", RowError::not_an_object, "value: "},
      {"null", p, "null", RowError::not_an_object, "value: "},
      {"array", p, "[1,2]", RowError::not_an_object, "value: "},
      {"open array", p, "[1,2", RowError::invalid_json, "value: "},
      {"empty object", p, "{}", RowError::missing_field, "event_id: "},
      {"cut off", p, good_payment.substr(0, good_payment.size() - 1), RowError::invalid_json,
       "value"},
      {"cut in a string", p, good_payment.substr(0, 30), RowError::invalid_json, "value: "},
      {"trailing garbage", p, good_payment + "x", RowError::invalid_json, "value: "},
      {"two objects", p, good_payment + good_payment, RowError::invalid_json, "value: "},
      {"extra brace", p, good_payment + "}", RowError::invalid_json, "value: "},
      {"byte order mark", p, "\xef\xbb\xbf" + good_payment, RowError::invalid_json, "value: "},
      {"missing comma", p, payment("\"p-19\",", "\"p-19\""), RowError::invalid_json, "value: "},
      {"missing colon", p, payment("\"event_id\":", "\"event_id\""), RowError::invalid_json,
       "value: "},
      {"two colons", p, payment("\"p-19\"", "\"p\":\"19\""), RowError::invalid_json, "value: "},
      {"comma at the end", p, payment("null}", "null,}"), RowError::invalid_json, "value: "},
      {"comma at the start", p, payment("{", "{,"), RowError::invalid_json, "value: "},
      {"single quotes", p, payment("\"p-19\"", "'p-19'"), RowError::invalid_json, "value: "},
      {"bad literal", p, payment("true", "tru"), RowError::invalid_json, "value: "},
      {"bad literal in an ignored field", p, payment("{", R"({"x":nul,)"), RowError::invalid_json,
       "value: "},
      {"bad number in an ignored field", p, payment("{", R"({"x":01,)"), RowError::invalid_json,
       "value: "},
      {"NaN in an ignored field", p, payment("{", R"({"x":NaN,)"), RowError::invalid_json,
       "value: "},
      {"bad escape", p, payment("p-19", R"(p\q)"), RowError::invalid_json, "value: "},
      {"bad escape in an ignored field", p, payment("{", R"({"x":"\u12g4",)"),
       RowError::invalid_json, "value: "},
      {"lone surrogate", p, payment("p-19", R"(p\ud800x)"), RowError::invalid_json, "value: "},
      {"bad escape in a key", p, payment("{", R"({"\x":1,)"), RowError::invalid_json, "value: "},
      {"control character", p, payment("p-19", "p\n19"), RowError::invalid_json, "value: "},
      {"NUL in a key", p, payment("channel", std::string("chan\0nel", 8)), RowError::invalid_json,
       "value: "},
      {"NUL after the object", p, good_payment + std::string(1, '\0'), RowError::invalid_json,
       "value: "},
      {"deep nesting", p, payment("{", R"({"x":)" + deep + ","), RowError::invalid_json, "value: "},
      {"unbalanced nesting", p, payment("{", R"({"x":[{"y":[1}],)"), RowError::invalid_json,
       "value: "},
      {"amount twice", p, payment("{", R"({"amount":"1.00",)"), RowError::invalid_json, "amount: "},
      {"optional field twice", p, payment("{", R"({"channel":"x",)"), RowError::invalid_json,
       "channel: "},
      {"invalid UTF-8", p, payment("p-19", "p-\xff"), RowError::invalid_utf8, "value: "},
      {"UTF-8 surrogate", p, payment("p-19", "\xed\xa0\x80"), RowError::invalid_utf8, "value: "},
      {"overlong UTF-8", p, payment("p-19", "\xc0\xaf"), RowError::invalid_utf8, "value: "},
      {"cut UTF-8", p, payment("p-19", "\xe4\xb8"), RowError::invalid_utf8, "value: "},
      {"oversized", p, payment("p-19", std::string(1 << 20, 'x')), RowError::oversized, "value: "},
  };
}

std::vector<BadLine> field_lines() {
  const auto p = Source::payments;
  return {
      {"no event_id", p, payment(R"("event_id":"p-19",)", ""), RowError::missing_field,
       "event_id: "},
      {"null event_id", p, payment(R"("p-19")", "null"), RowError::missing_field, "event_id: "},
      {"empty event_id", p, payment("p-19", ""), RowError::empty_field, "event_id: "},
      {"number event_id", p, payment(R"("p-19")", "19"), RowError::wrong_type, "event_id: "},
      {"no merchant_id", p, payment(R"("merchant_id":"t-3156",)", ""), RowError::missing_field,
       "merchant_id: "},
      {"empty merchant_id", p, payment("t-3156", ""), RowError::empty_field, "merchant_id: "},
      {"array merchant_id", p, payment(R"("t-3156")", "[1]"), RowError::wrong_type,
       "merchant_id: "},
      {"no type", p, payment(R"("type":"payment",)", ""), RowError::missing_field, "type: "},
      {"unknown type", p, payment(R"("payment")", R"("Payment")"), RowError::unknown_type,
       "type: "},
      {"invoice type in payments", p, payment(R"("payment")", R"("issued")"),
       RowError::unknown_type, "type: "},
      {"no event_time", p, payment(R"("event_time":"2018-04-01T00:00:31Z",)", ""),
       RowError::missing_field, "event_time: "},
      {"null event_time", p, event_time("null"), RowError::missing_field, "event_time: "},
      {"boolean event_time", p, event_time("true"), RowError::wrong_type, "event_time: "},
      {"no amount", p, payment(R"("amount":"57.16",)", ""), RowError::missing_field, "amount: "},
      {"null amount", p, amount("null"), RowError::missing_field, "amount: "},
      {"number amount", p, amount("57.16"), RowError::wrong_type, "amount: "},
      {"object amount", p, amount("{}"), RowError::wrong_type, "amount: "},
      {"no currency", p, payment(R"("currency":"CNY",)", ""), RowError::missing_field,
       "currency: "},
      {"empty currency", p, currency("\"\""), RowError::empty_field, "currency: "},
      {"lower currency", p, currency("\"cny\""), RowError::unknown_currency, "currency: "},
      {"made-up currency", p, currency("\"ZZZ\""), RowError::unknown_currency, "currency: "},
      {"long currency", p, currency("\"CNYX\""), RowError::unknown_currency, "currency: "},
      {"gold", p, currency("\"XAU\""), RowError::unknown_currency, "currency: "},
      {"number payer", p, payment(R"("c-596")", "596"), RowError::wrong_type, "payer_id: "},
      {"object channel", p, payment(R"("pos")", R"({"a":[1,{"b":null}]})"), RowError::wrong_type,
       "channel: "},
      {"string certified", p, payment("true", "\"true\""), RowError::wrong_type, "certified: "},
      {"boolean order", p, payment(R"("order_id":null)", R"("order_id":false)"),
       RowError::wrong_type, "order_id: "},
      {"no invoice_id", Source::invoices, replaced(good_invoice, R"("invoice_id":"n-1",)", ""),
       RowError::missing_field, "invoice_id: "},
      {"yen have no digits", Source::invoices, replaced(good_invoice, R"("5")", R"("5.0")"),
       RowError::amount_precision, "amount: "},
      {"bad due_time", Source::invoices, replaced(good_invoice, "}", R"(,"due_time":"soon"})"),
       RowError::invalid_time, "due_time: "},
      {"payment type in invoices", Source::invoices, replaced(good_invoice, "issued", "payment"),
       RowError::unknown_type, "type: "},
  };
}

std::vector<BadLine> amount_and_time_lines() {
  std::vector<BadLine> lines;
  const auto add = [&](RowError error, const char* field, const std::string& value) {
    lines.push_back({"amount or time", Source::payments, value, error, field});
  };
  for (const char* text : {"+5", "1e3", " 5", "5 ", ".5", "5.", "5,00", "0x10", "1.2.3", "--5", "-",
                           "NaN", "Infinity", "1_000", "\xef\xbc\x95", "-1e3", "5\\u0000"}) {
    add(RowError::invalid_amount, "amount: ", amount("\"" + std::string(text) + "\""));
  }
  for (const char* text : {"-5", "-0", "-0.00", "-57.161"}) {
    add(RowError::negative_amount, "amount: ", amount("\"" + std::string(text) + "\""));
  }
  add(RowError::empty_field, "amount: ", amount("\"\""));
  add(RowError::amount_precision, "amount: ", amount("\"57.161\""));
  add(RowError::amount_precision, "amount: ", amount("\"57.160\""));
  add(RowError::amount_overflow, "amount: ", amount("\"92233720368547758.08\""));
  add(RowError::amount_overflow, "amount: ", amount("\"92233720368547759\""));
  add(RowError::amount_overflow, "amount: ", amount("\"" + std::string(5000, '9') + "\""));
  for (const char* text : {"2018-04-01",
                           "2018-04-01T00:00:31",
                           "2018-04-01 00:00:31Z",
                           "2018-02-29T00:00:00Z",
                           "2018-13-01T00:00:00Z",
                           "2018-00-01T00:00:00Z",
                           "2018-04-31T00:00:00Z",
                           "2018-04-00T00:00:00Z",
                           "2018-04-01T24:00:00Z",
                           "2018-04-01T00:60:00Z",
                           "2018-04-01T00:00:61Z",
                           "2018-04-01T00:00:60Z",
                           "2018-04-01T00:00:31.Z",
                           "2018-04-01T00:00:31+0800",
                           "2018-04-01T00:00:31+24:00",
                           "2018-04-01T00:00:31+08:60",
                           "2018-04-01T00:00:31ZZ",
                           "1969-12-31T23:59:59Z",
                           "2262-01-01T00:00:00Z",
                           "1970-01-01T00:00:00+00:01",
                           "9999-12-31T23:59:59Z",
                           "0000-00-00T00:00:00Z",
                           "18-04-01T00:00:31Z",
                           "yesterday",
                           "1700000000000",
                           "2018-04-01T00:00:3-Z"}) {
    add(RowError::invalid_time, "event_time: ", event_time("\"" + std::string(text) + "\""));
  }
  add(RowError::empty_field, "event_time: ", event_time("\"\""));
  for (const char* number : {"-1", "1.5", "1e12", "9214646400000", "99999999999999999999999"}) {
    add(RowError::invalid_time, "event_time: ", event_time(number));
  }
  return lines;
}

std::vector<BadLine> other_source_lines() {
  const auto m = Source::merchants;
  const auto with = [](const std::string& base, const std::string& more) {
    return base.substr(0, base.size() - 1) + "," + more + "}";
  };
  return {
      {"no merchant", m, R"({"event_time":1})", RowError::missing_field, "merchant_id: "},
      {"no time", m, R"({"merchant_id":"m"})", RowError::missing_field, "event_time: "},
      {"zone", m, with(good_profile, R"("time_zone":"Mars/Base")"), RowError::unknown_time_zone,
       "time_zone: "},
      {"zone path", m, with(good_profile, R"("time_zone":"/etc/localtime")"),
       RowError::unknown_time_zone, "time_zone: "},
      {"pseudo zone", m, with(good_profile, R"("time_zone":"localtime")"),
       RowError::unknown_time_zone, "time_zone: "},
      {"zone type", m, with(good_profile, R"("time_zone":8)"), RowError::wrong_type, "time_zone: "},
      {"profile currency", m, with(good_profile, R"("currency":"QQQ")"), RowError::unknown_currency,
       "currency: "},
      {"opened_before_any_year", m, with(good_profile, R"("opened_at":"0000-12-31T23:59:59Z")"),
       RowError::invalid_time, "opened_at: is no RFC 3339 time with an offset from 1 to 2261: "},
      {"opened_at", m, with(good_profile, R"("opened_at":"2010")"), RowError::invalid_time,
       "opened_at: "},
      {"industry", m, with(good_profile, R"("industry":7)"), RowError::wrong_type, "industry: "},
      {"inputs type", m, with(good_profile, R"("inputs":[1])"), RowError::wrong_type, "inputs: "},
      {"input type", m, with(good_profile, R"("inputs":{"tax":5})"), RowError::wrong_type,
       "inputs.\"tax\": "},
      {"input value", m, with(good_profile, R"("inputs":{"tax":{"as_of":1}})"),
       RowError::missing_field, "inputs.\"tax\".value: "},
      {"input text", m, with(good_profile, R"("inputs":{"tax":{"value":"1","as_of":1}})"),
       RowError::wrong_type, "inputs.\"tax\".value: "},
      {"input time", m, with(good_profile, R"("inputs":{"tax":{"value":1}})"),
       RowError::missing_field, "inputs.\"tax\".as_of: "},
      {"input bad time", m, with(good_profile, R"("inputs":{"tax":{"value":1,"as_of":"x"}})"),
       RowError::invalid_time, "inputs.\"tax\".as_of: "},
      {"input twice", m, with(good_profile, R"("inputs":{"tax":null,"tax":null})"),
       RowError::invalid_json, "inputs: "},
      {"signal without name", Source::signals, replaced(good_signal, R"("name":"power",)", ""),
       RowError::missing_field, "name: "},
      {"signal without value", Source::signals, replaced(good_signal, R"(,"value":1.5)", ""),
       RowError::missing_field, "value: "},
      {"null signal", Source::signals, replaced(good_signal, "1.5", "null"),
       RowError::missing_field, "value: "},
      {"text signal", Source::signals, replaced(good_signal, "1.5", "\"1.5\""),
       RowError::wrong_type, "value: "},
      {"huge signal", Source::signals, replaced(good_signal, "1.5", "1e999"),
       RowError::invalid_number, "value: "},
      {"feedback type", Source::feedback, replaced(good_feedback, "fraud", "Fraud"),
       RowError::unknown_type, "type: "},
      {"feedback ref", Source::feedback, with(good_feedback, R"("ref_event_id":5)"),
       RowError::wrong_type, "ref_event_id: "},
      {"control type", Source::control, replaced(good_control, "overlay", "explode"),
       RowError::unknown_type, "type: "},
      {"no factor", Source::control, replaced(good_control, R"(,"factor":0.5)", ""),
       RowError::missing_field, "factor: "},
      {"factor", Source::control, replaced(good_control, "0.5", "-0.5"), RowError::invalid_number,
       "factor: "},
      {"no bundle", Source::control, replaced(good_control, "overlay", "activate_model"),
       RowError::missing_field, "bundle: "},
  };
}

/// Bad lines stand between good ones: x g x g x.
void expect_dead_letters(const std::vector<BadLine>& lines) {
  for (const BadLine& line : lines) {
    SCOPED_TRACE(std::string(line.what) + ": " + line.value.substr(0, 300));
    const std::string good = line.source == Source::payments    ? good_payment
                             : line.source == Source::invoices  ? good_invoice
                             : line.source == Source::merchants ? good_profile
                             : line.source == Source::signals   ? good_signal
                             : line.source == Source::feedback  ? good_feedback
                                                                : good_control;
    const EventBatch alone = parse_lines(line.source, {good});
    const EventBatch b = parse_lines(line.source, {line.value, good, line.value, good, line.value});
    ASSERT_EQ(alone.error[0], RowError::none) << alone.error_message[0];
    ASSERT_EQ(alone.outcome[0], Outcome::pending);
    for (const std::size_t row : {0, 2, 4}) {
      ASSERT_EQ(name_of(b.error[row]), name_of(line.error)) << b.error_message[row];
      EXPECT_EQ(b.outcome[row], Outcome::dead_lettered);
      EXPECT_EQ(b.type[row], EventType::none);
      EXPECT_THAT(b.error_message[row], StartsWith(line.field));
      EXPECT_LE(b.error_message[row].size(), 400u);
      EXPECT_EQ(b.raw_value[row], line.value);
      EXPECT_EQ(b.amount_minor[row], 0);
      EXPECT_EQ(b.event_id_hash[row], 0u);
      EXPECT_EQ(b.profile_index[row], no_profile);
      for (const char c : b.error_message[row]) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
    }
    for (const std::size_t row : {1, 3}) EXPECT_EQ(row_text(b, row), row_text(alone, 0));
  }
}

TEST(BadInput, WhatIsNoObjectIsADeadLetter) {
  expect_dead_letters(structure_lines());
}
TEST(BadInput, EveryFieldIsChecked) {
  expect_dead_letters(field_lines());
}
TEST(BadInput, AmountsAndTimesAreExact) {
  expect_dead_letters(amount_and_time_lines());
}
TEST(BadInput, TheOtherSourcesAreCheckedToo) {
  expect_dead_letters(other_source_lines());
}

TEST(BadInput, TheFirstFieldOfTheContractIsNamed) {
  // Wrong in amount, currency and payer, in another order in the bytes.
  const auto b = parse_lines(
      Source::payments,
      {R"({"payer_id":1,"currency":"Q","amount":"-1","event_time":"x","type":"t",)"
       R"("merchant_id":"m","event_id":"e"})",
       R"({"payer_id":1,"currency":"Q","amount":"-1","event_time":5,"type":"refund",)"
       R"("merchant_id":"m","event_id":"e"})",
       R"({"payer_id":1,"currency":"Q","amount":"1.00000","event_time":5,"type":"refund",)"
       R"("merchant_id":"m","event_id":"e"})"});
  EXPECT_THAT(b.error_message[0], StartsWith("type: "));
  EXPECT_THAT(b.error_message[1], StartsWith("amount: "));
  EXPECT_THAT(b.error_message[2], StartsWith("currency: "));
}

TEST(BadInput, MessagesShowTheValue) {
  const auto b = parse_lines(Source::payments, {amount("\"57.161\""), amount("\"\\u0007\\n\"")});
  EXPECT_EQ(b.error_message[0], "amount: more digits after the point than CNY has (2): \"57.161\"");
  EXPECT_THAT(b.error_message[1], HasSubstr("\"\\x07\\x0a\""));
}

TEST(BadInput, AReadableTimeAndIdsSurviveOtherErrors) {
  const auto b = parse_lines(Source::payments, {amount("\"-1\""), event_time("\"never\""), "{"});
  EXPECT_EQ(b.flags[0], flag_time_readable);
  EXPECT_EQ(b.event_time_ms[0], 1'522'540'831'000);
  EXPECT_EQ(b.merchant_id[0], "t-3156");
  EXPECT_EQ(b.event_id[0], "p-19");
  for (const std::size_t row : {1, 2}) {
    EXPECT_EQ(b.flags[row], 0);
    EXPECT_EQ(b.event_time_ms[row], no_time);
  }
}

TEST(BadInput, TheLimitOfAValueIsConfigurable) {
  const ParseOptions options{.value_bytes_max = good_payment.size()};
  const auto b = parse_lines(Source::payments, {good_payment, good_payment + " "}, options);
  EXPECT_EQ(b.error[0], RowError::none);
  EXPECT_EQ(b.error[1], RowError::oversized);
}

}  // namespace
}  // namespace tidemark
