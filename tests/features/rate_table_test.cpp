// Tables of exchange rates: what is read, what is refused and where, which line holds when; amounts
// to the last minor unit; what becomes of events.
#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "features/oracle.hpp"
#include "features/table_file.hpp"
#include "kernels/base/failure.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

const std::string header = "as_of,from,to,rate\n";

std::string refusal(const std::string& text) {
  try {
    RateTable::parse(text, "rates.csv");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

std::int64_t noon(const std::string& day) {
  std::int32_t number = 0;
  EXPECT_TRUE(parse_day(day, number));
  return number * day_ms + 12 * hour_ms;
}

TEST(RateTable, WhatDoesNotFitIsRefusedWithLineColumnAndField) {
  const std::string good = "2024-01-01,USD,CNY,7.1\n";
  EXPECT_EQ(refusal(header + good), "");
  EXPECT_EQ(refusal(""), "rates.csv:1: expected the header as_of,from,to,rate");
  EXPECT_EQ(refusal("as_of,from,to\n"), "rates.csv:1: expected the header as_of,from,to,rate");
  EXPECT_EQ(refusal(header), "rates.csv: holds no rate");
  EXPECT_EQ(refusal(header + "2024-01-01,USD,CNY\n"), "rates.csv:2: 3 fields, the header has 4");
  EXPECT_EQ(refusal(header + good + good),
            "rates.csv:3:1: as_of: the line before has the same "
            "as_of, from, to");
  EXPECT_EQ(refusal(header + "2024-01-02,USD,CNY,7.1\n" + good),
            "rates.csv:3:1: as_of: lines are to be sorted by as_of, from, to");
  EXPECT_EQ(refusal(header + good + "2024-01-01,EUR,CNY,7.1\n"),
            "rates.csv:3:1: as_of: lines are to be sorted by as_of, from, to");
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"2023-02-29,USD,CNY,7.1", "2:1: as_of: expected a day like 2024-02-29, got '2023-02-29'"},
      {"2024-1-01,USD,CNY,7.1", "2:1: as_of: expected a day"},
      {"2024-01-01,usd,CNY,7.1", "2:12: from: 'usd' is no currency of ISO 4217"},
      {"2024-01-01,USD,XAU,7.1", "2:16: to: 'XAU' is no currency"},
      {"2024-01-01,USD,USD,1", "2:16: to: is the currency itself"},
      {"2024-01-01,USD,CNY,-7.1", "2:20: rate: is negative"},
      {"2024-01-01,USD,CNY,0.00", "2:20: rate: is zero"},
      {"2024-01-01,USD,CNY,7e1", "2:20: rate: expected a plain decimal number like 7.2034"},
      {"2024-01-01,USD,CNY,.5", "2:20: rate: expected a plain decimal number"},
      {"2024-01-01,USD,CNY,5.", "2:20: rate: expected a plain decimal number"},
      {"2024-01-01,USD,CNY,1.2.3", "2:20: rate: expected a plain decimal number"},
      {"2024-01-01,USD,CNY, 7.1", "2:20: rate: expected a plain decimal number"},
      {"2024-01-01,USD,CNY,1.000000000000000001", "2:20: rate: has more than 18 digits"},
      {"\"2024-01-01,USD,CNY,7.1", "2:1: a quote that does not end"},
      {"\"2024-01-01\"x,USD,CNY,7.1", "2:13: expected a comma"},
      {"2024-01-01,\xff,CNY,7.1", "2: is no UTF-8"},
  };
  for (const auto& [line, message] : fields) {
    EXPECT_THAT(refusal(header + line + "\n"), testing::StartsWith("rates.csv:" + message)) << line;
  }
}

TEST(RateTable, RemarksEmptyLinesAndQuotesAreNoMatter) {
  const auto rates = RateTable::parse(
      "# from the central bank\r\n\r\n" + header + "\n# July\n2024-07-01,\"USD\",CNY,7.1\r\n", "r");
  ASSERT_EQ(rates->rows().size(), 1U);
  EXPECT_EQ(rates->rows()[0].rate.digits, 71U);
  EXPECT_EQ(rates->rows()[0].rate.decimals, 1);
}

TEST(RateTable, TheNewestLineThatIsNotAfterTheDayHolds) {
  const auto rates = RateTable::parse(header +
                                          "2024-01-10,USD,CNY,7\n"
                                          "2024-01-20,CNY,USD,0.14\n"
                                          "2024-01-20,USD,CNY,8\n"
                                          "2024-01-30,USD,CNY,\n"
                                          "2024-02-10,USD,CNY,9\n",
                                      "r");
  const CurrencyCode usd = pack_currency("USD"), cny = pack_currency("CNY");
  const auto digits = [&](const std::string& day) {
    const auto rate = rates->find(usd, cny, noon(day));
    return rate ? static_cast<int>(rate->digits) : 0;
  };
  EXPECT_EQ(digits("2024-01-09"), 0);
  EXPECT_EQ(digits("2024-01-10"), 7);
  EXPECT_EQ(digits("2024-01-19"), 7);
  EXPECT_EQ(digits("2024-01-20"), 8);
  EXPECT_EQ(digits("2024-01-30"), 0) << "an empty rate ends the pair";
  EXPECT_EQ(digits("2024-02-10"), 9);
  EXPECT_EQ(digits("2034-02-10"), 9);
  const std::int64_t midnight = noon("2024-01-10") - 12 * hour_ms;
  EXPECT_TRUE(rates->find(usd, cny, midnight).has_value());
  EXPECT_FALSE(rates->find(usd, cny, midnight - 1).has_value());
  EXPECT_FALSE(rates->find(cny, usd, noon("2024-01-19")).has_value()) << "no rate is turned round";
  EXPECT_FALSE(rates->find(usd, pack_currency("EUR"), noon("2024-01-19")).has_value());
}

TEST(RateTable, AmountsAreExactAndRoundedHalfUp) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(convert_amount(10'000, 2, {72'034, 4}, 2), 72'034);  // 100.00 USD in CNY
  EXPECT_EQ(convert_amount(100, 0, {5, 2}, 2), 500);             // 100 JPY at 0.05
  EXPECT_EQ(convert_amount(12'345, 2, {1'505, 1}, 0), 18'579);   // 123.45 at 150.5: 18579.225
  EXPECT_EQ(convert_amount(1, 2, {50, 0}, 0), 1) << "0.5 is rounded up";
  EXPECT_EQ(convert_amount(1, 2, {4'999'999, 5}, 0), 0);
  EXPECT_EQ(convert_amount(3, 2, {50, 0}, 0), 2) << "1.5 too";
  EXPECT_EQ(convert_amount(1'000, 3, {1, 0}, 4), 10'000);  // 1.000 KWD in CLF
  EXPECT_EQ(convert_amount(0, 2, {1, 17}, 2), 0);
  EXPECT_EQ(convert_amount(most, 2, {1, 0}, 2), most);
  EXPECT_EQ(convert_amount(most, 2, {1, 0}, 3), std::nullopt);
  EXPECT_EQ(convert_amount(most, 4, {999'999'999'999'999'999, 0}, 0), std::nullopt);
  EXPECT_EQ(convert_amount(most, 4, {999'999'999'999'999'999, 17}, 0), 9'223'372'036'854'776);
}

RC_GTEST_PROP(RateTable, AmountsAreThoseOnPaper, ()) {
  static constexpr std::string_view codes[] = {"CLF", "CNY", "JPY", "KWD"};
  const auto from = *rc::gen::inRange<std::size_t>(0, 4);
  const auto to = (from + *rc::gen::inRange<std::size_t>(1, 4)) % 4;
  const int digits = *rc::gen::inRange(1, 19);
  std::string rate(1, static_cast<char>('1' + *rc::gen::inRange(0, 9)));
  while (static_cast<int>(rate.size()) < digits) {
    rate += static_cast<char>('0' + *rc::gen::inRange(0, 10));
  }
  const auto point = *rc::gen::inRange<std::size_t>(1, 19);
  if (point < rate.size()) rate.insert(point, ".");
  const auto amount =
      static_cast<std::int64_t>(*rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(1, 63));
  const auto rates = RateTable::parse(header + "2024-01-01," + std::string(codes[from]) + "," +
                                          std::string(codes[to]) + "," + rate + "\n",
                                      "r");
  const CurrencyCode a = pack_currency(codes[from]), b = pack_currency(codes[to]);
  const auto found = rates->find(a, b, noon("2024-01-01"));
  RC_ASSERT(found.has_value());
  RC_ASSERT(convert_amount(amount, currency_exponent(a), *found, currency_exponent(b)) ==
            oracle_amount(rates.get(), noon("2024-01-01"), amount, a, b));
}

constexpr std::string_view spec = R"(
spec: rates
measures:
  payments: {source: payments, types: [payment], value: amount}
  large: {source: payments, where: {amount_from: 700}, value: amount}
  paid: {entity: payer, source: payments, value: amount}
features:
  - {name: amount, event: amount}
  - {name: sum, aggregate: sum, of: payments, window: 7d}
  - {name: large, aggregate: count, of: large, window: 7d}
  - {name: paid, aggregate: sum, of: paid, window: 7d}
)";

Line paid(const std::string& currency, std::int64_t amount_minor, std::int64_t time_ms) {
  Line line;
  line.currency = currency;
  line.amount_minor = amount_minor;
  line.time_ms = time_ms;
  line.payer = "p";
  return line;
}

TEST(RateTable, EventsCountInTheMerchantsCurrencyAtTheRateOfTheirOwnDay) {
  const auto rates =
      RateTable::parse(header + "2018-03-31,USD,CNY,7\n2018-04-02,USD,CNY,8\n", "rates.csv");
  Stream stream;
  stream.add(paid("CNY", 100, april_ms));
  const auto dollars = stream.add(paid("USD", 10'000, april_ms));
  stream.add(paid("CNY", 100, april_ms + 2 * day_ms));
  const auto late = stream.add(paid("USD", 100, april_ms + hour_ms));
  const auto early = stream.add(paid("USD", 100, april_ms - 2 * day_ms));
  const auto yen = stream.add(paid("JPY", 100, april_ms + 2 * day_ms));
  const auto huge = stream.add(paid("USD", INT64_MAX, april_ms + 2 * day_ms));
  const auto plan = FeaturePlan::parse(spec, "spec");
  MerchantTable table(plan, small_options());
  const TableRun run = run_table(table, stream.batch, {2}, 1, "UTC", rates.get());
  EXPECT_THAT(run.features.at(dollars), testing::ElementsAre(700, 701, 1, 701));
  EXPECT_THAT(run.features.at(late), testing::ElementsAre(7, 709, 1, 709));
  for (const auto row : {early, yen, huge}) {
    EXPECT_EQ(run.outcome[row], Outcome::dead_lettered) << row;
  }
  MerchantTable again(plan, small_options());
  again.admit(stream.batch, 0, stream.batch.rows(), rates.get());
  EXPECT_EQ(stream.batch.error_message[early],
            "currency: there is no rate from USD to the merchant's CNY as of 2018-03-30");
  EXPECT_EQ(stream.batch.error_message[yen],
            "currency: there is no rate from JPY to the merchant's CNY as of 2018-04-03");
  EXPECT_EQ(stream.batch.error[early], RowError::no_rate);
  EXPECT_EQ(stream.batch.error[huge], RowError::amount_overflow);
  EXPECT_EQ(stream.batch.error_message[huge],
            "amount: more minor units of CNY than 64 bits hold, from USD as of 2018-04-03");
}

TEST(RateTable, AFirstAmountCountsInTheProfilesCurrencyAndTheMerchantKeepsIt) {
  const auto rates = RateTable::parse(header + "2018-03-31,USD,JPY,150\n", "rates.csv");
  Stream stream;
  Line profile;
  profile.type = EventType::profile;
  profile.time_ms = april_ms;
  profile.profile_currency = "JPY";
  stream.add(profile);
  const auto dollars = stream.add(paid("USD", 1'000, april_ms));
  profile.type = EventType::tombstone;
  stream.add(profile);
  const auto yen = stream.add(paid("JPY", 7, april_ms));
  MerchantTable table(FeaturePlan::parse(spec, "spec"), small_options());
  const TableRun run = run_table(table, stream.batch, {1}, 1, "UTC", rates.get());
  EXPECT_THAT(run.features.at(dollars), testing::ElementsAre(1500, 1500, 1, 1500));
  EXPECT_THAT(run.features.at(yen), testing::ElementsAre(7, 1507, 1, 1507));
}

}  // namespace
}  // namespace tidemark::test
