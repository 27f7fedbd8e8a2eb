// Random streams and a spec with every kind of window: late events, duplicates, refunds, other
// currencies, zones with daylight saving, month ends and leap days. Test code only.
#pragma once

#include <random>
#include <set>
#include <string_view>

#include "features/table_file.hpp"
#include "kernels/base/civil_time.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {

// Windows of every kind with delays, short rings so that everything wraps within a short stream.
inline constexpr std::string_view wild_spec = R"(spec: wild
measures:
  pay: {source: payments, types: [payment], value: amount}
  pay_again: {source: payments, types: [payment], value: amount}
  back: {source: payments, types: [refund, chargeback], value: amount}
  night: {source: payments, types: [payment], where: {night: true, weekend: false}}
  plain: {source: payments, where: {certified: false}, value: amount}
  known: {source: payments, where: {payer: true}}
  bills: {source: invoices, value: amount}
  frauds: {source: feedback, types: [fraud]}
  large: {source: payments, where: {amount_from: 2500, weekend: true}, value: amount}
  round: {source: payments, where: {amount_below: 9000.5, amount_multiple_of: 0.05}}
  paid: {entity: payer, source: payments, types: [payment], value: amount}
  paid_back: {entity: payer, source: payments, types: [refund], value: amount}
  paid_large: {entity: payer, source: payments, where: {amount_from: 5000, night: false}}
  bought: {entity: payer, source: invoices, where: {certified: true}, value: amount}
  signals: {source: signals}
  matched: {source: payments, where: {invoice: true, order: true}}
  settled: {source: invoices, types: [paid], value: days_to_pay, open: 4}
  settled_large: {source: invoices, types: [paid], where: {amount_from: 3000}, value: days_to_pay,
                  open: 2}
  settling: {source: invoices, types: [paid, overdue], value: days_past_due}
  dated: {source: invoices, types: [paid, overdue], where: {due: true}, value: amount}
  owed: {entity: payer, source: invoices, types: [paid], value: days_to_pay, open: 3}
  owing: {entity: payer, source: invoices, types: [paid], value: days_past_due}
features:
  - {name: amount, event: amount}
  - {name: is_refund, event: type, types: [refund]}
  - {name: has_payer, event: payer}
  - {name: weekend, event: weekend}
  - {name: history, event: history, unit: h}
  - {name: since_pay, aggregate: since, of: pay, unit: d}
  - {name: since_fraud, aggregate: since, of: frauds, unit: h, empty: -1}
  - {name: min_5, aggregate: min, of: pay, window: 5min}
  - {name: max_5, aggregate: max, of: pay, window: 5min, delay: 3min}
  - {name: count_1h, aggregate: count, of: pay_again, window: 1h}
  - {name: sum_3h, aggregate: sum, of: pay, window: 3h, delay: 2h}
  - {name: mean_24h, aggregate: mean, of: pay, window: 24h}
  - {name: sd_2d, aggregate: stddev, of: pay, window: 2d}
  - {name: cv_7d, aggregate: cv, of: pay, window: 7d, delay: 7d}
  - {name: cv_30d, aggregate: cv, of: pay, window: 30d, empty: 0}
  - {name: max_7d, aggregate: max, of: plain, window: 7d, delay: 14d}
  - {name: min_30d, aggregate: min, of: pay, window: 30d}
  - {name: max_30d, aggregate: max, of: pay, window: 30d}
  - {name: wide_90d, aggregate: sum, of: back, window: 90d, delay: 38d}
  - {name: payers_3d, aggregate: distinct, of: known, window: 3d, delay: 1d, bits: 64,
     exact_few: false}
  - {name: payers_7d, aggregate: distinct, of: pay, window: 7d, exact_few: false}
  - {name: few_3d, aggregate: distinct, of: known, window: 3d, delay: 1d, bits: 64}
  - {name: "few_{window}", aggregate: distinct, of: pay, windows: [2h, 7d, 60d]}
  - {name: few_9d, aggregate: distinct, of: known, window: 9d, bits: 1024}
  - {name: few_ago, aggregate: distinct, of: known, window: 5d, delay: 9d, bits: 1024}
  - {name: few_paid, aggregate: distinct, of: paid, window: 9d, bits: 2048}
  - {name: night_5d, aggregate: count, of: night, window: 5d}
  - {name: active_days, aggregate: active, of: pay, value: count, window: 10d, delay: 2d}
  - {name: bills_2w, aggregate: sum, of: bills, window: 2w, delay: 1w}
  - {name: weeks, aggregate: period_mean, of: pay, window: 3w}
  - {name: back_3m, aggregate: sum, of: back, window: 3mo}
  - {name: pay_3m, aggregate: sum, of: pay, window: 3mo}
  - {name: months, aggregate: active, of: pay, window: 2mo, delay: 1mo}
  - {name: frauds_28d, aggregate: count, of: frauds, window: 28d}
  - {name: signals_1d, aggregate: count, of: signals, window: 1d}
  - {name: back_share, ratio: [back_3m, pay_3m], empty: 0}
  - {name: change, change: [pay_3m, back_3m]}
  - {name: gap_money, difference: [mean_24h, sd_2d]}
  - {name: kept, net: {add: [pay_3m, sum_3h], subtract: [back_3m, wide_90d]}}
  - {name: kept_share, ratio: [kept, pay_3m]}
  - {name: over_mean, ratio: [amount, mean_24h]}
  - {name: per_event, ratio: [frauds_28d, pay_3m]}
  - {name: "large_{aggregate}_{window}", aggregates: [count, max], of: large, windows: [2h, 30d]}
  - {name: matched_7d, aggregate: count, of: matched, window: 7d}
  - {name: has_order, event: order}
  - {name: "q{window}", aggregate: quantile, of: pay, windows: [1h, 30d], below: 0.9}
  - {name: median, aggregate: quantile, of: plain, window: 20d, delay: 4d, below: 0.5, parts: 1}
  - {name: paid_median, aggregate: quantile, of: paid, window: 2mo, below: 0.25, parts: 16}
  - {name: largest, aggregate: largest_share, of: pay, window: 30d}
  - {name: hhi, aggregate: herfindahl, of: pay, window: 30d, empty: 0}
  - {name: hhi_w, aggregate: herfindahl, of: bills, window: 9w, delay: 1w, cells: 16}
  - {name: gap, aggregate: longest_gap, of: pay, window: 40d, delay: 1d}
  - {name: gap_h, aggregate: longest_gap, of: frauds, window: 100h, empty: 999}
  - {name: streak_d, aggregate: streak, of: pay, window: 30d, value: count, from: 2}
  - {name: streak_w, aggregate: streak, of: pay, window: 12w, from: 1500.5}
  - {name: streak_mo, aggregate: streak, of: pay, window: 6mo, delay: 1mo}
  - {name: paid_gap, aggregate: longest_gap, of: paid, window: 60d}
  - {name: recent, aggregate: decayed_sum, of: pay, half_life: 7d}
  - {name: recent_n, aggregate: decayed_count, of: pay, half_life: 36h}
  - {name: recent_back, aggregate: decayed_sum, of: back, half_life: 3w}
  - {name: paid_recent, aggregate: decayed_sum, of: paid, half_life: 1d}
  - {name: trend, ratio: [recent, pay_3m]}
  - {name: since_large, aggregate: since, of: large, unit: h}
  - {name: round_9d, aggregate: count, of: round, window: 9d}
  - {name: "paid_{aggregate}_{window}", aggregates: [count, sum, mean, max, min, stddev], of: paid,
     windows: [1h, 1d, 7d, 2mo], empty: -7}
  - {name: "paid_before_{window}", aggregate: sum, of: paid, windows: [3d, 7d], delay: "{window}"}
  - {name: paid_back, aggregate: sum, of: paid_back, window: 30d, hidden: true}
  - {name: paid_back_share, ratio: [paid_back, paid_sum_2mo], empty: 0}
  - {name: since_paid_large, aggregate: since, of: paid_large, unit: h}
  - {name: bought_40d, aggregate: sum, of: bought, window: 40d, delay: 3d}
  - {name: payer_history, event: history, entity: payer, unit: d}
  - {name: "over_paid_{window}", ratio: [amount, "paid_mean_{window}"], windows: [1d, 7d]}
  - {name: from_paid, difference: [amount, paid_mean_7d]}
  - {name: sigmas, ratio: [from_paid, paid_stddev_7d]}
  - {name: "last_{aggregate}", aggregates: [sum, mean, min, max, stddev, cv], of: pay, last: 5}
  - {name: last_back, aggregate: sum, of: back, last: 1}
  - {name: last_pay_again, aggregate: max, of: pay_again, last: 64}
  - {name: last_large, aggregate: mean, of: large, last: 3, empty: -1}
  - {name: last_paid, aggregate: mean, of: paid, last: 4}
  - {name: last_bills, aggregate: min, of: bills, last: 16}
  - {name: over_last, ratio: [amount, last_mean]}
  - {name: "settled_{aggregate}", aggregates: [count, sum, mean, min, max, stddev, cv], of: settled,
     window: 60d}
  - {name: settled_median, aggregate: quantile, of: settled, window: 9w, below: 0.5}
  - {name: settled_before, aggregate: mean, of: settled_large, window: 20d, delay: 20d}
  - {name: settled_last, aggregate: mean, of: settled, last: 3}
  - {name: settled_recent, aggregate: decayed_sum, of: settled, half_life: 10d}
  - {name: settled_days, aggregate: active, of: settled, window: 60d}
  - {name: "settling_{aggregate}", aggregates: [count, sum, mean, max], of: settling, window: 60d}
  - {name: dated_sum, aggregate: sum, of: dated, window: 60d}
  - {name: since_settled, aggregate: since, of: settled, unit: d}
  - {name: is_dated, event: due}
  - {name: "owed_{aggregate}", aggregates: [count, mean, max], of: owed, window: 3mo}
  - {name: owing_mean, aggregate: mean, of: owing, window: 3mo, empty: 0}
  - {name: owed_share, ratio: [owed_mean, owing_mean]}
  - {name: risk, aggregate: fraud_share, of: pay, last: 10, matures: 3d, among: 40}
  - {name: risk_soon, aggregate: fraud_share, of: pay, last: 4, matures: 90min, among: 7, empty: 0}
  - {name: risk_now, aggregate: fraud_share, of: plain, last: 100, matures: 0d}
)";

inline constexpr std::string_view zones[] = {"UTC",
                                             "Asia/Shanghai",
                                             "America/New_York",
                                             "Europe/Berlin",
                                             "America/St_Johns",
                                             "Australia/Lord_Howe",
                                             "Asia/Kathmandu",
                                             "America/Asuncion",
                                             "Pacific/Apia"};

// Days around which calendars do something: new year, leap day, daylight saving, Apia's lost day.
inline constexpr std::int64_t turning_points_ms[] = {
    1'582'934'400'000,  // 2020-02-29
    1'520'726'400'000,  // 2018-03-11, New York springs forward
    1'541'289'600'000,  // 2018-11-04, and falls back
    1'546'214'400'000,  // 2018-12-31
    1'325'203'200'000,  // 2011-12-30, which Apia skipped
    1'162'080'000'000,  // 2006-10-29, St John's falls back at one past midnight
    0,                  // 1970-01-01
    -3'600'000,
};

// With two digits after the point, none, three and four.
inline constexpr std::string_view foreign_currencies[] = {"USD", "JPY", "KWD", "CLF"};

// Tables may speak of the first of each.
inline constexpr std::string_view industries[] = {"food", "retail", "travel", ""};
inline constexpr std::string_view regions[] = {"east", "west, far", "north", ""};

struct StreamShape {
  std::uint32_t seed = 0;
  int events = 200;
  int merchants = 3;
  int foreign_of = 50;  // one in so many amounts is in another currency
};

template <typename T, std::size_t N>
inline T pick(const T (&from)[N], std::mt19937& random) {
  return from[random() % N];
}

inline std::int64_t next_step_ms(std::mt19937& random) {
  switch (random() % 16) {
    case 0:
      return 0;
    case 1:
      return static_cast<std::int64_t>(random() % 20) * day_ms;
    case 2:
      return static_cast<std::int64_t>(random() % 100) * day_ms;
    case 3:
    case 4:
      return static_cast<std::int64_t>(random() % 30) * hour_ms;
    default:
      return static_cast<std::int64_t>(random() % (90 * minute_ms));
  }
}

inline Line random_line(std::mt19937& random, int foreign_of) {
  static constexpr EventType types[] = {
      EventType::payment, EventType::payment, EventType::payment, EventType::payment,
      EventType::payment, EventType::payment, EventType::refund,  EventType::chargeback,
      EventType::payout,  EventType::issued,  EventType::paid,    EventType::overdue,
      EventType::fraud,   EventType::signal,  EventType::fraud,   EventType::legitimate,
      EventType::issued,  EventType::issued,  EventType::paid,    EventType::cancelled};
  Line line;
  line.type = pick(types, random);
  if (random() % 40 == 0) line.type = EventType::profile;
  if (random() % 120 == 0) line.type = EventType::tombstone;
  line.amount_minor = random() % 5 == 0 ? 0 : static_cast<std::int64_t>(random() % 1'000'000);
  if (random() % 60 == 0) line.amount_minor = INT64_MAX - static_cast<std::int64_t>(random());
  if (random() % 4 != 0) line.payer = "p-" + std::to_string(random() % 50);
  line.certified = random() % 5 != 0;
  const bool of_invoice = line.type >= EventType::issued && line.type <= EventType::disputed;
  if (random() % 3 == 0 || (of_invoice && random() % 10 != 0)) {
    line.invoice = "i-" + std::to_string(random() % 12);
  }
  if (random() % 3 == 0) line.order = "o";
  if (random() % 4 != 0) line.ref = "e-" + std::to_string(random() % 200);
  if (random() % static_cast<unsigned>(foreign_of) == 0) {
    line.currency = pick(foreign_currencies, random);
  }
  if (random() % 5 != 0) line.time_zone = pick(zones, random);
  line.industry = pick(industries, random);
  line.region = pick(regions, random);
  if (random() % 3 == 0) line.profile_currency = random() % 2 == 0 ? "JPY" : "CNY";
  return line;
}

inline Stream random_stream(const StreamShape& shape) {
  std::mt19937 random(shape.seed);
  Stream stream;
  std::int64_t now_ms = pick(turning_points_ms, random) - 2 * day_ms;
  for (int i = 0; i < shape.events; ++i) {
    now_ms += next_step_ms(random);
    Line line = random_line(random, shape.foreign_of);
    line.merchant = "m-" + std::to_string(random() % static_cast<unsigned>(shape.merchants));
    line.time_ms = now_ms;
    if (random() % 6 == 0) line.time_ms -= next_step_ms(random);
    if (random() % 60 == 0) line.time_ms -= 500 * day_ms;
    if (random() % 3 != 0) line.due_ms = line.time_ms - 20 * day_ms + 2 * next_step_ms(random);
    if (random() % 10 == 0) line.id = "twice-" + std::to_string(random() % 8);
    stream.add(line);
  }
  return stream;
}

/// Rates among all these currencies and CNY around the turning points, of any size and number of
/// digits; pairs that are missing, and pairs that end.
inline std::shared_ptr<const RateTable> random_rates(std::mt19937& random) {
  static constexpr std::string_view codes[] = {"CLF", "CNY", "JPY", "KWD", "USD"};
  std::set<std::int32_t> days;
  for (const std::int64_t turn_ms : turning_points_ms) {
    for (int i = 0; i < 4; ++i) {
      const auto around = static_cast<std::int64_t>(random() % 120) - 20;
      days.insert(day_of_local_ms(turn_ms + around * day_ms));
    }
  }
  std::string text = "as_of,from,to,rate\n";
  for (const std::int32_t day : days) {
    for (const std::string_view from : codes) {
      for (const std::string_view to : codes) {
        if (from == to || random() % 3 == 0) continue;
        std::string rate = std::to_string(1 + random() % 2'000'000'000);
        rate.insert(1 + random() % rate.size(), ".");
        if (rate.ends_with('.')) rate.pop_back();
        if (random() % 3 == 0) rate = "0.000" + rate.substr(0, 1);
        if (random() % 12 == 0) rate.clear();
        text += day_text(day) + "," + std::string(from) + "," + std::string(to) + "," + rate + "\n";
      }
    }
  }
  return RateTable::parse(text, "rates");
}

}  // namespace tidemark::test
