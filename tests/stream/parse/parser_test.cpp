// What good events become: every column of every source, whatever the order of fields, the spaces
// and the escapes, and whatever thread parses them.
#include "stream/parse/parser.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "kernels/base/currency.hpp"
#include "tests/stream/parse/parse_support.hpp"

namespace tidemark {
namespace {

const std::vector<std::pair<std::string, std::string>> payment_fields = {
    {"event_id", R"("p-19")"},  {"merchant_id", R"("t-3156")"},
    {"type", R"("payment")"},   {"event_time", R"("2018-04-01T08:00:31.9999+08:00")"},
    {"amount", R"("57.16")"},   {"currency", R"("CNY")"},
    {"payer_id", R"("c-596")"}, {"channel", R"("pos")"},
    {"certified", "false"},     {"ref_event_id", R"("p-1")"},
    {"invoice_id", R"("i-1")"}, {"order_id", R"("o-1")"},
};

std::string object_of(const std::vector<std::pair<std::string, std::string>>& fields,
                      const std::string& space = "") {
  std::string out = space + "{";
  for (std::size_t i = 0; i < fields.size(); ++i) {
    out += (i != 0 ? "," : "") + space + "\"" + fields[i].first + "\"" + space + ":" + space +
           fields[i].second + space;
  }
  return out + "}" + space;
}

TEST(Parser, PaymentsFillTheirColumns) {
  const auto b = parse_lines(Source::payments, {object_of(payment_fields)});
  ASSERT_EQ(b.error[0], RowError::none) << b.error_message[0];
  EXPECT_EQ(b.outcome[0], Outcome::pending);
  EXPECT_EQ(b.source[0], Source::payments);
  EXPECT_EQ(b.kafka_time_ms[0], 1'700'000'000'000);
  EXPECT_EQ(b.type[0], EventType::payment);
  EXPECT_EQ(b.flags[0], flag_time_readable);
  EXPECT_EQ(b.event_time_ms[0], 1'522'540'831'999);
  EXPECT_EQ(b.amount_minor[0], 5716);
  EXPECT_EQ(b.currency[0], pack_currency("CNY"));
  EXPECT_EQ(b.merchant_id[0], "t-3156");
  EXPECT_EQ(b.event_id[0], "p-19");
  EXPECT_EQ(b.merchant_hash[0], hash_of_id("t-3156"));
  EXPECT_EQ(b.event_id_hash[0], hash_of_id("p-19"));
  EXPECT_EQ(b.payer_hash[0], hash_of_id("c-596"));
  EXPECT_EQ(b.channel_hash[0], hash_of_id("pos"));
  EXPECT_EQ(b.ref_hash[0], hash_of_id("p-1"));
  EXPECT_EQ(b.invoice_hash[0], hash_of_id("i-1"));
  EXPECT_EQ(b.order_hash[0], hash_of_id("o-1"));
  EXPECT_EQ(b.due_time_ms[0], no_time);
  EXPECT_EQ(b.profile_index[0], no_profile);
}

TEST(Parser, HashesAreXxh3OfTheBytes) {
  // Published values of XXH3-64 with seed 0, so that other programs can join on them.
  EXPECT_EQ(hash_of_id(""), 0u);
  EXPECT_EQ(hash_of_id("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(hash_of_id("abc"), 0x78af5f94892f3950u);
}

TEST(Parser, AbsentNullAndEmptyOptionalFieldsAreTheSame) {
  const std::string head =
      R"({"event_id":"e","merchant_id":"m","type":"refund","event_time":0,"amount":"0",)"
      R"("currency":"KWD")";
  const auto b = parse_lines(
      Source::payments,
      {head + "}", head + R"(,"payer_id":null,"certified":null,"channel":null,"order_id":null})",
       head + R"(,"payer_id":"","order_id":"","unknown":{"amount":[1,{"amount":"-1"}]}})"});
  for (std::size_t row = 0; row < 3; ++row) {
    EXPECT_EQ(row_text(b, row), row_text(b, 0));
    EXPECT_EQ(b.error[row], RowError::none) << b.error_message[row];
    EXPECT_EQ(b.payer_hash[row], 0u);
    EXPECT_EQ(b.event_time_ms[row], 0);
    EXPECT_EQ(b.flags[row], flag_time_readable | flag_certified);
  }
}

TEST(Parser, OrderOfFieldsSpacesAndEscapesDoNotMatter) {
  const std::string expected =
      row_text(parse_lines(Source::payments, {object_of(payment_fields)}), 0);
  std::mt19937_64 random(7);
  const auto escaped = [&](const std::string& text) {
    std::string out;
    for (const char c : text) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04X", static_cast<unsigned char>(c));
      out += c == '"' || random() % 3 != 0 ? std::string(1, c) : std::string(buffer);
    }
    return out;
  };
  for (int round = 0; round < 400; ++round) {
    auto fields = payment_fields;
    if (round % 2 == 0) fields.emplace_back("unknown_" + std::to_string(round), R"([{"a":"\"}"}])");
    if (round % 5 == 0) fields.emplace_back("amounts", "1e400");
    std::shuffle(fields.begin(), fields.end(), random);
    if (round % 3 == 0) {
      for (auto& [name, value] : fields) {
        if (value.front() == '"') value = escaped(value);
        name = escaped(name);
      }
    }
    const std::string spaces[] = {"", " ", "\t", "\n \r\n"};
    const std::string line = object_of(fields, spaces[round % 4]);
    const auto b = parse_lines(Source::payments, {line});
    ASSERT_EQ(row_text(b, 0), expected) << line;
  }
}

TEST(Parser, UnescapedIdsLiveAsLongAsTheBatch) {
  auto raw = TestLines{Source::payments,
                       {R"({"event_id":"p\"1","merchant_id":"\u4e2d\ud83d\ude00",)"
                        R"("type":"payout","event_time":1,"amount":"\u0031",)"
                        R"("currency":"JPY"})"}}
                 .raw();
  EventBatch b = parse_batch(raw);
  ASSERT_EQ(b.error[0], RowError::none) << b.error_message[0];
  EXPECT_EQ(b.event_id[0], "p\"1");
  EXPECT_EQ(b.merchant_id[0], "\xe4\xb8\xad\xf0\x9f\x98\x80");
  EXPECT_EQ(b.merchant_hash[0], hash_of_id("\xe4\xb8\xad\xf0\x9f\x98\x80"));
  EventBatch other;
  other.append(b, 0, 1);
  b.clear();
  EXPECT_EQ(other.event_id[0], "p\"1");
  EXPECT_EQ(other.amount_minor[0], 1);
}

TEST(Parser, InvoicesFillTheirColumns) {
  const auto b = parse_lines(
      Source::invoices,
      {R"({"event_id":"e","merchant_id":"m","type":"overdue","event_time":1700000000000,)"
       R"("invoice_id":"n","amount":"1.234","currency":"KWD","buyer_id":"b","order_id":"o",)"
       R"("due_time":"2023-11-14T00:00:00Z","certified":false})"});
  ASSERT_EQ(b.error[0], RowError::none) << b.error_message[0];
  EXPECT_EQ(b.type[0], EventType::overdue);
  EXPECT_EQ(b.amount_minor[0], 1234);
  EXPECT_EQ(b.payer_hash[0], hash_of_id("b"));
  EXPECT_EQ(b.invoice_hash[0], hash_of_id("n"));
  EXPECT_EQ(b.order_hash[0], hash_of_id("o"));
  EXPECT_EQ(b.due_time_ms[0], 1'699'920'000'000);
  EXPECT_EQ(b.flags[0], flag_time_readable);
}

TEST(Parser, AMerchantMayHaveOpenedBefore1970) {
  const auto b =
      parse_lines(Source::merchants,
                  {R"({"merchant_id":"m","event_time":5,"opened_at":"1921-05-01T00:00:00Z"})",
                   R"({"merchant_id":"m","event_time":5,"opened_at":-86400000})"});
  const auto opened_at_ms = [&](std::size_t row) {
    return b.profiles.at(static_cast<std::size_t>(b.profile_index[row])).opened_at_ms;
  };
  ASSERT_EQ(b.error[0], RowError::none) << b.error_message[0];
  EXPECT_EQ(opened_at_ms(0), -1'535'932'800'000);
  ASSERT_EQ(b.error[1], RowError::none) << b.error_message[1];
  EXPECT_EQ(opened_at_ms(1), -86'400'000);
}

TEST(Parser, ProfilesCarryTheirInputs) {
  const auto b = parse_lines(
      Source::merchants,
      {R"({"merchant_id":"m","event_time":5,"currency":"EUR","industry":"food","region":"\u4e2d",)"
       R"("time_zone":"Asia/Shanghai","opened_at":"2010-01-01T00:00:00+08:00","inputs":)"
       R"({"tax":{"value":-1.5e3,"as_of":7,"source":{}},"power":null,"area":{"value":20,)"
       R"("as_of":"1970-01-01T00:00:01Z"}}})",
       R"({"merchant_id":"m","event_time":5,"inputs":null,"time_zone":""})"});
  ASSERT_EQ(b.error[0], RowError::none) << b.error_message[0];
  ASSERT_EQ(b.error[1], RowError::none) << b.error_message[1];
  EXPECT_EQ(b.type[0], EventType::profile);
  const Profile& p = b.profiles.at(static_cast<std::size_t>(b.profile_index[0]));
  EXPECT_EQ(p.currency, pack_currency("EUR"));
  EXPECT_EQ(b.currency[0], pack_currency("EUR"));
  EXPECT_EQ(p.region, "\xe4\xb8\xad");
  EXPECT_EQ(p.time_zone, "Asia/Shanghai");
  EXPECT_EQ(p.opened_at_ms, 1'262'275'200'000);
  ASSERT_EQ(p.inputs.size(), 2u);
  EXPECT_EQ(p.inputs[0].name, "area");
  EXPECT_EQ(p.inputs[0].as_of_ms, 1000);
  EXPECT_EQ(p.inputs[1].name, "tax");
  EXPECT_EQ(p.inputs[1].value, -1500.0);
  EXPECT_TRUE(b.profiles.at(static_cast<std::size_t>(b.profile_index[1])).inputs.empty());
}

TEST(Parser, SignalsFeedbackAndControl) {
  const auto s = parse_lines(Source::signals,
                             {R"({"event_id":"e","merchant_id":"m","event_time":1,"name":"power",)"
                              R"("value":-12.5e-1,"unit":"kWh"})"});
  EXPECT_EQ(s.error[0], RowError::none) << s.error_message[0];
  EXPECT_EQ(s.name_hash[0], hash_of_id("power"));
  EXPECT_EQ(s.value[0], -1.25);
  const auto f = parse_lines(
      Source::feedback,
      {R"({"event_id":"e","merchant_id":"m","type":"default","event_time":1,"ref_event_id":"p"})",
       R"({"event_id":"e","merchant_id":"m","type":"appeal","event_time":1,"outcome":"upheld"})"});
  EXPECT_EQ(f.type[0], EventType::loan_default);
  EXPECT_EQ(f.ref_hash[0], hash_of_id("p"));
  EXPECT_EQ(f.profile_index[0], no_profile);
  EXPECT_EQ(f.profiles.at(static_cast<std::size_t>(f.profile_index[1])).outcome, "upheld");
  const auto c = parse_lines(
      Source::control,
      {R"({"event_id":"e","type":"overlay","event_time":1,"region":"north","factor":0.5})",
       R"({"event_id":"e","type":"freeze","event_time":1,"merchant_id":"m"})",
       R"({"event_id":"e","type":"activate_model","event_time":1,"bundle":"b2"})"});
  EXPECT_EQ(c.profiles[0].overlay_region, "north");
  EXPECT_EQ(c.profiles[0].overlay_factor, 0.5);
  EXPECT_EQ(c.type[1], EventType::freeze);
  EXPECT_EQ(c.profiles[1].scope_merchant_id, "m");
  EXPECT_TRUE(c.merchant_id[1].empty());
  EXPECT_EQ(c.profiles[2].bundle, "b2");
}

TEST(Parser, KeysMustFitAndNullValuesForgetMerchants) {
  auto raw = TestLines{
      Source::merchants,
      {R"({"merchant_id":"m","event_time":5})", R"({"merchant_id":"m","event_time":5})", "", "",
       ""}}.raw();
  const std::string keys[] = {"m", "M", "gone", "", "\xff"};
  for (std::size_t i = 0; i < 5; ++i) {
    raw->records[i].has_key = true;
    raw->records[i].key = keys[i];
  }
  raw->records[2].value = {};
  const auto b = parse_batch(raw);
  EXPECT_EQ(b.error[0], RowError::none);
  EXPECT_EQ(b.error[1], RowError::key_mismatch);
  EXPECT_EQ(b.error_message[1].rfind("merchant_id: ", 0), 0u);
  EXPECT_EQ(b.profiles.size(), 1u);
  EXPECT_EQ(b.type[2], EventType::tombstone);
  EXPECT_EQ(b.merchant_id[2], "gone");
  EXPECT_EQ(b.merchant_hash[2], hash_of_id("gone"));
  EXPECT_EQ(b.event_time_ms[2], b.kafka_time_ms[2]);
  EXPECT_EQ(b.flags[2], flag_time_readable);
  EXPECT_EQ(b.error[3], RowError::empty_field);
  EXPECT_EQ(b.error[4], RowError::invalid_utf8);

  auto payments = TestLines{Source::payments, {""}}.raw();
  payments->records[0].has_key = true;
  payments->records[0].key = "m";
  EXPECT_EQ(parse_batch(payments).error[0], RowError::empty_value);
}

TEST(Parser, ThreadsFillDisjointRowsOfOneBatch) {
  TestLines lines{Source::merchants, {}};
  for (int i = 0; i < 4000; ++i) {
    const std::string id = i % 3 == 0 ? "a\\u0062" + std::to_string(i) : std::to_string(i);
    lines.values.push_back(R"({"merchant_id":")" + id + R"(","event_time":)" + std::to_string(i) +
                           R"(,"region":"r)" + std::to_string(i) + R"("})");
    if (i % 7 == 0) lines.values.back().pop_back();
  }
  const auto raw = lines.raw();
  const EventBatch one = parse_batch(raw);
  EventBatch many;
  many.keep(raw);
  many.grow(lines.values.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Parser parser({});
      for (std::size_t row = t * 1000; row < (t + 1) * 1000; row += 100) {
        parser.parse(*raw, row, 100, many, row);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t row = 0; row < one.rows(); ++row) {
    ASSERT_EQ(row_text(many, row), row_text(one, row));
  }
}

}  // namespace
}  // namespace tidemark
