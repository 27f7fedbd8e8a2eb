// The window semantics of the contract, one example a test: which buckets a window covers, delays,
// late events, calendars. Small streams written out by hand.
#include <cmath>

#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

constexpr std::string_view measures = R"(spec: contract
measures:
  payments: {source: payments, types: [payment], value: amount}
  refunds: {source: payments, types: [refund], value: amount}
  frauds: {source: feedback, types: [fraud]}
features:
)";

/// Runs lines under a spec and gives one column of the row of the last scored line.
class Contract {
 public:
  explicit Contract(const std::string& features, const std::string& zone = "UTC")
      : plan_(FeaturePlan::parse(std::string(measures) + features, "test")) {
    options_.default_zone = zone;
  }
  std::size_t add(Line line) { return stream_.add(std::move(line)); }
  std::size_t pay(std::int64_t time_ms, std::int64_t amount_minor = 100) {
    Line line;
    line.time_ms = time_ms;
    line.amount_minor = amount_minor;
    return stream_.add(line);
  }
  float value(std::size_t row, std::string_view name) {
    if (runs_ != stream_.batch.rows()) {
      MerchantTable table(plan_, options_);
      run_ = run_table(table, stream_.batch, {7}, 1);
      runs_ = stream_.batch.rows();
    }
    return run_.features.at(row)[static_cast<std::size_t>(plan_->column(name))];
  }
  Outcome outcome(std::size_t row) {
    MerchantTable table(plan_, options_);
    return run_table(table, stream_.batch, {1}, 1).outcome[row];
  }

 private:
  std::shared_ptr<const FeaturePlan> plan_;
  MerchantTableOptions options_ = small_options();
  Stream stream_;
  TableRun run_;
  std::size_t runs_ = 0;
};

TEST(WindowsContract, SevenDaysAreTheCurrentDayAndTheSixBefore) {
  Contract contract("  - {name: n, aggregate: count, of: payments, window: 7d}\n");
  for (int day = 0; day < 20; ++day) contract.pay(april_ms + day * day_ms + hour_ms);
  EXPECT_EQ(contract.value(0, "n"), 1);
  EXPECT_EQ(contract.value(6, "n"), 7);
  EXPECT_EQ(contract.value(19, "n"), 7);
}

TEST(WindowsContract, SevenDaysDelayedBySevenAreDaysThirteenToSevenBefore) {
  Contract contract(
      "  - {name: s, aggregate: sum, of: payments, window: 7d, delay: 7d}\n"
      "  - {name: n, aggregate: count, of: payments, window: 7d, delay: 7d}\n");
  // Day k brings k + 1 yuan, so the sum says which days are inside.
  for (int day = 0; day < 30; ++day) {
    contract.pay(april_ms + day * day_ms + 5 * hour_ms, 100 * (day + 1));
  }
  EXPECT_EQ(contract.value(6, "n"), 0);
  EXPECT_EQ(contract.value(7, "s"), 1);
  const int d = 25;
  float expected = 0;
  for (int day = d - 13; day <= d - 7; ++day) expected += static_cast<float>(day + 1);
  EXPECT_EQ(contract.value(d, "s"), expected);
}

TEST(WindowsContract, AGapBeginsBehindAnActiveDayAndMayLastUntilNow) {
  Contract contract(
      "  - {name: g, aggregate: longest_gap, of: payments, window: 30d}\n"
      "  - {name: f, aggregate: longest_gap, of: frauds, window: 30d}\n");
  contract.pay(april_ms);
  contract.pay(april_ms + 5 * day_ms);
  const std::size_t last = contract.pay(april_ms + 8 * day_ms);
  EXPECT_EQ(contract.value(0, "g"), 0);
  EXPECT_EQ(contract.value(last, "g"), 4);
  EXPECT_TRUE(std::isnan(contract.value(last, "f"))) << "no event, no gap";
  Line refund;
  refund.type = EventType::refund;
  refund.time_ms = april_ms + 20 * day_ms;
  EXPECT_EQ(contract.value(contract.add(refund), "g"), 12);
}

TEST(WindowsContract, AStreakEndsAtTheFirstBucketBelowTheMark) {
  Contract contract(
      "  - {name: s, aggregate: streak, of: payments, window: 12w, from: 100}\n"
      "  - {name: n, aggregate: streak, of: payments, window: 12w, delay: 1w, from: 100}\n");
  const std::int64_t monday_ms = april_ms + day_ms;
  const std::int64_t takings[] = {20'000, 9'999, 10'000, 30'000, 5'000};
  std::size_t row = 0;
  for (int week = 0; week < 5; ++week) {
    row = contract.pay(monday_ms + week * 7 * day_ms, takings[week]);
  }
  EXPECT_EQ(contract.value(row - 1, "s"), 2) << "the second week was a cent short";
  EXPECT_EQ(contract.value(row, "s"), 0);
  EXPECT_EQ(contract.value(row, "n"), 2);
}

TEST(WindowsContract, ADecayedSumHalvesEveryHalfLife) {
  Contract contract("  - {name: d, aggregate: decayed_sum, of: payments, half_life: 3d}\n");
  contract.pay(april_ms, 80'00);
  const std::size_t later = contract.pay(april_ms + 3 * day_ms, 0);
  EXPECT_EQ(contract.value(later, "d"), 40);
  contract.pay(april_ms, 80'00);  // late: it counts as if it had come in time
  EXPECT_EQ(contract.value(contract.pay(april_ms + 6 * day_ms, 1'00), "d"), 41);
}

TEST(WindowsContract, AQuantileIsTheMiddleOfItsPartOfAnOctave) {
  Contract contract(
      "  - {name: q, aggregate: quantile, of: payments, window: 30d, below: 0.5, parts: 4}\n");
  std::size_t row = 0;
  for (const std::int64_t minor : {100, 1'000, 1'000'000}) row = contract.pay(april_ms, minor);
  // 10.00 is in [896, 1024) of the octave that begins at 512.
  EXPECT_EQ(contract.value(row, "q"), 9.6f);
}

TEST(WindowsContract, ConcentrationIsOfKnownPayers) {
  Contract contract(
      "  - {name: l, aggregate: largest_share, of: payments, window: 30d}\n"
      "  - {name: h, aggregate: herfindahl, of: payments, window: 30d}\n");
  const auto pay = [&](const std::string& payer, std::int64_t amount_minor) {
    Line line;
    line.payer = payer;
    line.time_ms = april_ms;
    line.amount_minor = amount_minor;
    return contract.add(line);
  };
  EXPECT_TRUE(std::isnan(contract.value(pay("", 500), "l")));
  pay("p", 300);
  const std::size_t row = pay("q", 100);
  EXPECT_EQ(contract.value(row, "l"), 0.75f);
  EXPECT_EQ(contract.value(row, "h"), 0.625f);
}

TEST(WindowsContract, OneHourIsTheCurrentMinuteAndThe59Before) {
  Contract contract("  - {name: n, aggregate: count, of: payments, window: 1h}\n");
  contract.pay(april_ms + 59'999);                                      // minute 0
  const std::size_t inside = contract.pay(april_ms + 59 * minute_ms);   // minute 59
  const std::size_t outside = contract.pay(april_ms + 60 * minute_ms);  // minute 60
  EXPECT_EQ(contract.value(inside, "n"), 2);
  EXPECT_EQ(contract.value(outside, "n"), 2);
}

TEST(WindowsContract, TwentyFourHoursAreTheCurrentHourAndThe23Before) {
  Contract contract("  - {name: n, aggregate: count, of: payments, window: 24h}\n");
  contract.pay(april_ms + hour_ms - 1);
  const std::size_t inside = contract.pay(april_ms + 24 * hour_ms - 1);
  const std::size_t outside = contract.pay(april_ms + 24 * hour_ms);
  EXPECT_EQ(contract.value(inside, "n"), 2);
  EXPECT_EQ(contract.value(outside, "n"), 2);
}

TEST(WindowsContract, ALineDoesNotSeeTheLinesAfterItWithinOneSecond) {
  Contract contract("  - {name: s, aggregate: sum, of: payments, window: 30d}\n");
  const std::size_t first = contract.pay(april_ms, 5716);
  const std::size_t second = contract.pay(april_ms, 100);
  EXPECT_EQ(contract.value(first, "s"), 57.16F);
  EXPECT_EQ(contract.value(second, "s"), 58.16F);
}

TEST(WindowsContract, ALateEventCountsInItsOwnBucketAndIsReadAtTheClock) {
  Contract contract(
      "  - {name: h, aggregate: count, of: payments, window: 1h}\n"
      "  - {name: d, aggregate: count, of: payments, window: 7d}\n");
  contract.pay(april_ms + 3 * day_ms);
  const std::size_t late = contract.pay(april_ms);
  const std::size_t next = contract.pay(april_ms + 3 * day_ms);
  EXPECT_EQ(contract.value(late, "h"), 1);  // not the late one itself
  EXPECT_EQ(contract.value(late, "d"), 2);
  EXPECT_EQ(contract.value(next, "h"), 2);
  EXPECT_EQ(contract.value(next, "d"), 3);
}

TEST(WindowsContract, LateIsWhatTheLongestRingNoLongerHolds) {
  Contract contract("  - {name: n, aggregate: count, of: payments, window: 30d}\n");
  contract.pay(april_ms + 100 * day_ms);
  const std::size_t held = contract.pay(april_ms + 56 * day_ms);  // 45 days with both ends
  const std::size_t late = contract.pay(april_ms + 56 * day_ms - 1);
  EXPECT_EQ(contract.outcome(held), Outcome::scored);
  EXPECT_EQ(contract.outcome(late), Outcome::late);
}

TEST(WindowsContract, DaysAreThoseOfTheMerchantsZone) {
  Contract contract("  - {name: n, aggregate: count, of: payments, window: 1d}\n", "Asia/Shanghai");
  contract.pay(april_ms + 15 * hour_ms);                               // 23:00 in Shanghai
  const std::size_t same = contract.pay(april_ms + 16 * hour_ms - 1);  // 23:59:59.999
  const std::size_t next = contract.pay(april_ms + 16 * hour_ms);      // midnight
  EXPECT_EQ(contract.value(same, "n"), 2);
  EXPECT_EQ(contract.value(next, "n"), 1);
}

TEST(WindowsContract, AProfileChangesTheZoneFromThenOn) {
  Contract contract("  - {name: n, aggregate: count, of: payments, window: 1d}\n");
  contract.pay(april_ms + 15 * hour_ms);
  Line profile;
  profile.type = EventType::profile;
  profile.time_ms = april_ms + 15 * hour_ms;
  profile.time_zone = "Asia/Shanghai";
  contract.add(profile);
  const std::size_t next = contract.pay(april_ms + 16 * hour_ms);  // midnight in Shanghai
  EXPECT_EQ(contract.value(next, "n"), 1);
}

TEST(WindowsContract, WeeksStartOnMonday) {
  Contract contract(
      "  - {name: now, aggregate: count, of: payments, window: 1w}\n"
      "  - {name: ago1, aggregate: count, of: payments, window: 1w, delay: 1w}\n");
  contract.pay(april_ms + day_ms - 1);  // Sunday, 1 April 2018
  const std::size_t monday = contract.pay(april_ms + day_ms);
  EXPECT_EQ(contract.value(monday, "now"), 1);
  EXPECT_EQ(contract.value(monday, "ago1"), 1);
}

TEST(WindowsContract, TwelveMonthsAreTheCurrentOneAndTheElevenBefore) {
  Contract contract(
      "  - {name: s, aggregate: sum, of: payments, window: 12mo}\n"
      "  - {name: a, aggregate: active, of: payments, window: 12mo}\n");
  contract.pay(april_ms);                                                     // April 2018
  contract.pay(april_ms + 30 * day_ms);                                       // May 2018
  const std::size_t march = contract.pay(april_ms + 364 * day_ms + hour_ms);  // 31 March 2019
  const std::size_t april = contract.pay(april_ms + 365 * day_ms);            // 1 April 2019
  EXPECT_EQ(contract.value(march, "s"), 3);
  EXPECT_EQ(contract.value(march, "a"), 3);
  EXPECT_EQ(contract.value(april, "s"), 3);
  EXPECT_EQ(contract.value(april, "a"), 3);
}

TEST(WindowsContract, ZeroAmountsAreEventsLikeAnyOther) {
  Contract contract(
      "  - {name: n, aggregate: count, of: payments, window: 1d}\n"
      "  - {name: least, aggregate: min, of: payments, window: 1d}\n"
      "  - {name: months, aggregate: active, of: payments, window: 1mo}\n"
      "  - {name: days, aggregate: active, of: payments, value: count, window: 1d}\n");
  const std::size_t row = contract.pay(april_ms, 0);
  EXPECT_EQ(contract.value(row, "n"), 1);
  EXPECT_EQ(contract.value(row, "least"), 0);
  EXPECT_EQ(contract.value(row, "months"), 0);  // no inflow
  EXPECT_EQ(contract.value(row, "days"), 1);
}

TEST(WindowsContract, NothingBelowTheLineIsNanUnlessTheSpecSaysZero) {
  Contract contract(
      "  - {name: p, aggregate: sum, of: payments, window: 1d}\n"
      "  - {name: r, aggregate: sum, of: refunds, window: 1d}\n"
      "  - {name: open, ratio: [r, p]}\n"
      "  - {name: zero, ratio: [r, p], empty: 0}\n"
      "  - {name: mean, aggregate: mean, of: payments, window: 1d}\n");
  Line refund;
  refund.type = EventType::refund;
  refund.time_ms = april_ms;
  const std::size_t row = contract.add(refund);
  const std::size_t paid = contract.pay(april_ms, 400);
  EXPECT_TRUE(std::isnan(contract.value(row, "open")));
  EXPECT_TRUE(std::isnan(contract.value(row, "mean")));
  EXPECT_EQ(contract.value(row, "zero"), 0);
  EXPECT_EQ(contract.value(paid, "open"), 0.25F);
}

TEST(WindowsContract, AmountsAreInMajorUnitsOfTheMerchantsCurrency) {
  for (const auto& [currency, expected] :
       std::map<std::string, float>{{"CNY", 12.34F}, {"JPY", 1234.0F}, {"KWD", 1.234F}}) {
    Contract contract(
        "  - {name: amount, event: amount}\n"
        "  - {name: s, aggregate: sum, of: payments, window: 1d}\n");
    Line line;
    line.time_ms = april_ms;
    line.amount_minor = 1234;
    line.currency = currency;
    const std::size_t row = contract.add(line);
    EXPECT_EQ(contract.value(row, "amount"), expected) << currency;
    EXPECT_EQ(contract.value(row, "s"), expected) << currency;
  }
}

TEST(WindowsContract, VariationIsThePopulationsSigmaOverMean) {
  Contract contract("  - {name: cv, aggregate: cv, of: payments, window: 30d}\n");
  const std::size_t one = contract.pay(april_ms, 500);
  contract.pay(april_ms, 100);
  const std::size_t three = contract.pay(april_ms, 300);
  EXPECT_EQ(contract.value(one, "cv"), 0);
  EXPECT_FLOAT_EQ(contract.value(three, "cv"),
                  static_cast<float>(std::sqrt(8.0 / 3.0) * 100 / 300));
}

TEST(WindowsContract, NightIsHourZeroToSixInclusive) {
  Contract contract("  - {name: night, event: night}\n");
  EXPECT_EQ(contract.value(contract.pay(april_ms), "night"), 1);
  EXPECT_EQ(contract.value(contract.pay(april_ms + 7 * hour_ms - 1), "night"), 1);
  EXPECT_EQ(contract.value(contract.pay(april_ms + 7 * hour_ms), "night"), 0);
}

}  // namespace
}  // namespace tidemark::test
