// Decisions as bytes: the exact field order, numbers, times, escapes, keys and bounds.
#include "stream/encode/encoder.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/stream/encode/encoder_fixture.hpp"

namespace tidemark {
namespace {

using testing::context_of;

struct EncoderTest : ::testing::Test {
  DecisionEncoder encoder{testing::encoder_names()};
  OutputBatch out;

  std::string_view last_value() const { return out.value(out.records.back()); }
  std::string_view last_key() const { return out.key(out.records.back()); }
};

TEST_F(EncoderTest, AllowIsShortAndKeyedByMerchant) {
  VerdictDecision verdict;
  verdict.score = 0.0123456789;
  encoder.verdict(context_of(), verdict, out);
  EXPECT_EQ(last_value(),
            R"({"event_id":"p-19","merchant_id":"t-3156","verdict":"allow","score":0.012346,)"
            R"("reasons":[],"event_time":"2018-04-01T00:00:31.000Z",)"
            R"("provenance":{"topic":"payments.v1","partition":3,"offset":1841,)"
            R"("release":"9f3a1c20b7d4"}})");
  EXPECT_EQ(last_key(), "t-3156");
  EXPECT_EQ(out.records.back().topic, OutputTopic::verdicts);
  EXPECT_EQ(out.bytes.size(), last_value().size()) << "the key is a range of the value";
}

TEST_F(EncoderTest, ReasonsCarryNumbersAndSentences) {
  encoder.verdict(context_of(), testing::review_verdict(), out);
  EXPECT_EQ(
      last_value(),
      R"({"event_id":"p-19","merchant_id":"t-3156","verdict":"review","score":0.8312,"reasons":[)"
      R"({"code":"TICKET_SIZE","feature":"amount","value":57.16,"typical":20,"contribution":0.92,)"
      R"("text":"Amount 57.16, \"typically\" 20"},)"
      R"({"code":"VELOCITY","feature":"payment_count_1h","value":14,"typical":1,)"
      R"("contribution":0.5,"text":"14 payments, payment_count_1h typically 1"},)"
      R"({"code":"INFLOW_TREND","feature":"inflow_change_1w","value":-0.423,"typical":0,)"
      R"("contribution":-0.1,"text":"Takings down 42.3%, typically 0%"}],)"
      R"("event_time":"2018-04-01T00:00:31.000Z","provenance":{"topic":"payments.v1",)"
      R"("partition":3,"offset":1841,"release":"9f3a1c20b7d4"}})");
}

TEST_F(EncoderTest, LimitAmountsHaveTheCurrencysDigits) {
  LimitDecision limit = testing::active_limit();
  encoder.limit(context_of(), limit, out);
  EXPECT_TRUE(last_value().starts_with(
      R"({"merchant_id":"t-3156","version":2,"status":"active","currency":"CNY",)"
      R"("limit":"187000.00","previous":"200000.50","available":"187000.00",)"
      R"("tier":"B","price_bps":720,"reasons":[{"code":"TICKET_SIZE")"))
      << last_value();
  EXPECT_NE(last_value().find(R"(],"event_time":"2018-04-01T00:00:31.007Z","provenance":{)"),
            std::string_view::npos);
  limit.currency = pack_currency("JPY");
  encoder.limit(context_of(), limit, out);
  EXPECT_NE(last_value().find(R"("limit":"18700000","previous":"20000050")"),
            std::string_view::npos);
  limit.currency = pack_currency("KWD");
  limit.limit_minor = 5;
  encoder.limit(context_of(), limit, out);
  EXPECT_NE(last_value().find(R"("limit":"0.005")"), std::string_view::npos);
}

TEST_F(EncoderTest, ThinFileHasNoTierAndNoPrice) {
  encoder.limit(context_of(), testing::thin_file(), out);
  EXPECT_NE(last_value().find(R"("limit":"0.00","previous":"0.00","available":"0.00",)"
                              R"("tier":null,"price_bps":null,"reasons":[)"
                              R"({"code":"HISTORY_SHORT","feature":null,"value":12,"typical":60,)"
                              R"("contribution":0.8,"text":"12 of 60 days"},)"),
            std::string_view::npos)
      << last_value();
}

TEST_F(EncoderTest, AlertsNameTheirNumbers) {
  encoder.alert(context_of(), testing::fall_alert(), out);
  EXPECT_EQ(last_value(),
            R"({"alert_id":"t-3156:two_week_fall:7","merchant_id":"t-3156",)"
            R"("rule":"two_week_fall","state":"opened","tier":"yellow",)"
            R"("numbers":{"reading":"both","inflow_1w_ago3":5000,"inflow_1w_ago2":2999.5,)"
            R"("inflow_1w_ago1":1000,"change_2w":-0.4001,"change_1w":null,"baseline_8w":5200},)"
            R"("event_time":"2018-04-01T00:00:00.000Z","provenance":{"topic":"payments.v1",)"
            R"("partition":3,"offset":1841,"release":"9f3a1c20b7d4"}})");
  EXPECT_EQ(last_key(), "t-3156");
}

TEST_F(EncoderTest, IdsAreEscapedInTheValueAndPlainInTheKey) {
  const std::string id = "a\"b\\c\nd\x01_\xC3\xA9_long_enough_for_the_fast_way";
  encoder.verdict(context_of(id, id), VerdictDecision(), out);
  EXPECT_NE(last_value().find(
                "\"merchant_id\":\"a\\\"b\\\\c\\nd\\u0001_\xC3\xA9_long_enough_for_the_fast_way\""),
            std::string_view::npos)
      << last_value();
  EXPECT_EQ(last_key(), id);
}

TEST_F(EncoderTest, EveryPositionIsEscaped) {
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (const char c : {'"', '\\', '\x1f', '\0'}) {
        std::string id(length, 'x');
        id[at] = c;
        out.clear();
        encoder.verdict(context_of(id, "e"), VerdictDecision(), out);
        ASSERT_EQ(last_key(), id);
        ASSERT_EQ(last_value().find(c == '"' ? R"(x"x)" : std::string_view(&c, 1)) !=
                      std::string_view::npos,
                  c == '\\')
            << length << " " << at;
      }
    }
  }
}

TEST_F(EncoderTest, ExtremeNumbersStayInTheirRoom) {
  VerdictDecision verdict = testing::review_verdict();
  const float extremes[] = {
      std::numeric_limits<float>::max(),        std::numeric_limits<float>::lowest(),
      std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::infinity(),
      std::numeric_limits<float>::quiet_NaN(),  -0.0F};
  verdict.reason_count = 4;
  for (const float extreme : extremes) {
    for (Reason& reason : verdict.reasons) {
      reason = testing::reason_of(rule_reason_count + 2, 2, extreme, extreme, extreme);
    }
    verdict.score = extreme;
    DecisionContext context = context_of();
    context.partition = std::numeric_limits<std::int32_t>::min();
    context.offset = std::numeric_limits<std::int64_t>::min();
    encoder.verdict(context, verdict, out);
    EXPECT_TRUE(last_value().ends_with(R"("release":"9f3a1c20b7d4"}})")) << last_value();
  }
  EXPECT_NE(out.bytes.find(R"("value":null)"), std::string::npos);
  EXPECT_EQ(out.bytes.find("inf"), out.bytes.find("inflow")) << "no JSON has infinities";
}

TEST_F(EncoderTest, NothingIsAllocatedOnceTheBatchIsLargeEnough) {
  for (int i = 0; i < 1000; ++i) encoder.verdict(context_of(), VerdictDecision(), out);
  const char* const bytes = out.bytes.data();
  const OutputRecord* const records = out.records.data();
  out.clear();
  for (int i = 0; i < 1000; ++i) encoder.verdict(context_of(), VerdictDecision(), out);
  EXPECT_EQ(out.bytes.data(), bytes);
  EXPECT_EQ(out.records.data(), records);
}

}  // namespace
}  // namespace tidemark
