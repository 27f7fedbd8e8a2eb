// The oracle's features: each number recomputed from the list of a merchant's or a payer's events.
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "features/oracle_history.hpp"
#include "kernels/base/currency.hpp"
#include "kernels/base/exp_log.hpp"
#include "kernels/window/event_body.hpp"
#include "kernels/window/read_body.hpp"

namespace tidemark {
namespace {

std::int64_t day_number(const absl::CivilDay& day) {
  return day - absl::CivilDay(1970, 1, 1);
}

/// An amount in ten-thousandths of the major unit against a measure's marks.
bool has_measured_amount(const AmountTest& test, std::int64_t amount_minor, int exponent) {
  Wide amount = static_cast<Wide>(amount_minor);
  for (int digit = exponent; digit < 4; ++digit) amount *= 10;
  if (amount < static_cast<Wide>(test.least_e4)) return false;
  if (test.below_e4 != 0 && amount >= static_cast<Wide>(test.below_e4)) return false;
  return test.multiple_e4 == 0 || amount % static_cast<Wide>(test.multiple_e4) == 0;
}

int exponent_in(CurrencyCode currency) {
  return std::max(0, currency_exponent(currency));
}

// Events of one feature's measure inside its window, and their buckets.
struct Inside {
  std::map<std::int64_t, std::int64_t> sum_by_bucket, count_by_bucket;
  std::map<std::int64_t, Wide> squares_by_bucket;
  std::vector<std::int64_t> amounts;
  std::set<std::uint64_t> payers;
  std::set<std::uint32_t> payer_bits;
  std::map<std::uint32_t, std::map<std::int64_t, std::int64_t>> paid_by_cell;

  void add(const OracleEvent& event, std::int64_t value, std::int64_t bucket,
           const Feature& feature) {
    const std::int64_t amount = std::min(value, bucket_sum_max);
    std::int64_t& sum_here = sum_by_bucket[bucket];
    sum_here = std::min(sum_here + amount, bucket_sum_max);
    count_by_bucket[bucket] += 1;
    Wide& squares_here = squares_by_bucket[bucket];
    squares_here = std::min(squares_here + static_cast<Wide>(amount) * static_cast<Wide>(amount),
                            Wide{1} << 120);
    amounts.push_back(amount);
    if (event.payer_hash == 0) return;
    payers.insert(event.payer_hash);
    payer_bits.insert(
        payer_place(event.payer_hash, static_cast<std::uint32_t>(feature.sketch_bits)));
    if (feature.cells == 0) return;
    const std::uint32_t cell =
        payer_place(event.payer_hash, static_cast<std::uint32_t>(feature.cells));
    std::int64_t& paid = paid_by_cell[cell][bucket];
    paid = std::min(paid + amount, bucket_sum_max);
  }
  std::int64_t count() const {
    std::int64_t all = 0;
    for (const auto& [bucket, n] : count_by_bucket) all += std::min<std::int64_t>(n, UINT32_MAX);
    return all;
  }
  std::int64_t sum() const {
    std::int64_t all = 0;
    for (const auto& [bucket, n] : sum_by_bucket) all += n;
    return all;
  }
  Wide squares() const {
    Wide all = 0;
    for (const auto& [bucket, n] : squares_by_bucket) all += n;
    return all;
  }
};

std::int64_t active_buckets(const std::map<std::int64_t, std::int64_t>& buckets) {
  return std::count_if(buckets.begin(), buckets.end(), [](const auto& b) { return b.second > 0; });
}

double estimate_of(int bits, std::size_t set) {
  const double unset = std::max(static_cast<double>(bits) - static_cast<double>(set), 0.5);
  return std::round(100.0 * bits * std::log(bits / unset)) / 100.0;
}

double distinct_of(const Feature& feature, const Inside& inside) {
  const double estimate = estimate_of(feature.sketch_bits, inside.payer_bits.size());
  if (!feature.exact_few) return estimate;
  const auto few = static_cast<std::size_t>(std::min(feature.sketch_bits / 64, 16));
  if (inside.payers.size() <= few) return static_cast<double>(inside.payers.size());
  return std::max(estimate, static_cast<double>(few + 1));
}

/// The amount that the share `below` of all reaches, as the middle of its part of an octave.
Fraction quantile_of(const Feature& feature, std::vector<std::int64_t> amounts) {
  if (amounts.empty()) return {};
  std::sort(amounts.begin(), amounts.end());
  std::size_t n = 1;
  while (static_cast<double>(n) < feature.below * static_cast<double>(amounts.size())) ++n;
  const std::int64_t amount = std::min(amounts[n - 1], (std::int64_t{1} << histogram_octaves) - 1);
  if (amount == 0) return {0.0, 1.0};
  const double parts = (feature.cells - 1) / static_cast<int>(histogram_octaves);
  const double octave = std::exp2(std::floor(std::log2(static_cast<double>(amount))));
  const double part = std::floor((static_cast<double>(amount) - octave) * parts / octave);
  return {octave * (2 * parts + 2 * part + 1), 2 * parts};
}

Fraction concentration_of(const Feature& feature, const Inside& inside) {
  std::vector<double> sums(static_cast<std::size_t>(feature.cells));
  for (const auto& [cell, buckets] : inside.paid_by_cell) {
    for (const auto& [bucket, sum] : buckets) sums[cell] += static_cast<double>(sum);
  }
  double all = 0, squares = 0;
  for (const double sum : sums) all += sum, squares += sum * sum;
  if (feature.kind == FeatureKind::herfindahl) return {squares, all * all};
  return {*std::max_element(sums.begin(), sums.end()), all};
}

Fraction window_value(const Feature& feature, const Inside& inside) {
  const double count = static_cast<double>(inside.count());
  const double sum = static_cast<double>(inside.sum());
  switch (feature.kind) {
    case FeatureKind::count:
      return {count, 1.0};
    case FeatureKind::sum:
      return {sum, 1.0};
    case FeatureKind::period_mean:
      return {sum, static_cast<double>(feature.length)};
    case FeatureKind::mean:
      return {sum, count};
    case FeatureKind::stddev:
      return {spread_of(inside.count(), inside.sum(), inside.squares()), count};
    case FeatureKind::cv:
      return {spread_of(inside.count(), inside.sum(), inside.squares()), sum};
    case FeatureKind::min:
      if (inside.amounts.empty()) return {};
      return {static_cast<double>(*std::min_element(inside.amounts.begin(), inside.amounts.end())),
              1.0};
    case FeatureKind::max:
      if (inside.amounts.empty()) return {};
      return {static_cast<double>(*std::max_element(inside.amounts.begin(), inside.amounts.end())),
              1.0};
    case FeatureKind::quantile:
      return quantile_of(feature, inside.amounts);
    case FeatureKind::largest_share:
    case FeatureKind::herfindahl:
      return concentration_of(feature, inside);
    case FeatureKind::distinct:
      return {distinct_of(feature, inside), 1.0};
    case FeatureKind::active:
      return {static_cast<double>(active_buckets(feature.of_amount ? inside.sum_by_bucket
                                                                   : inside.count_by_bucket)),
              1.0};
    default:
      return {};
  }
}

Fraction event_value(const Feature& feature, const OracleEvent* event) {
  if (feature.kind == FeatureKind::event_amount) {
    if (event == nullptr) return {};
    return {static_cast<double>(event->amount_minor), 1.0};
  }
  const bool is =
      event != nullptr && (feature.kind == FeatureKind::event_type
                               ? (feature.types >> static_cast<unsigned>(event->type) & 1U) != 0
                               : (event->bits & feature.bit) != 0);
  return {is ? 1.0 : 0.0, 1.0};
}

/// The numbers of one history at one moment.
class Reader {
 public:
  Reader(const FeatureSpec& spec, const OracleReading& at)
      : spec_(spec), at_(at), exponent_(exponent_in(at.history->currency())) {}

  int exponent() const { return exponent_; }

  Fraction number(const Feature& feature) const {
    if (is_of_last(feature)) return oracle_tail_value(spec_, feature, at_, exponent_);
    switch (feature.kind) {
      case FeatureKind::event_amount:
      case FeatureKind::event_type:
      case FeatureKind::event_bit:
        return event_value(feature, at_.event);
      case FeatureKind::history:
      case FeatureKind::since:
        return time_since(feature);
      case FeatureKind::longest_gap:
      case FeatureKind::streak:
        return run_length(feature, inside(feature));
      case FeatureKind::decayed_count:
      case FeatureKind::decayed_sum:
        return decayed(feature);
      case FeatureKind::peer_mean:
      case FeatureKind::peer_stddev:
      case FeatureKind::season:
        return oracle_table_value(spec_, feature, at_);
      default:
        return window_value(feature, inside(feature));
    }
  }

 private:
  bool is_measured(const Feature& feature, const OracleEvent& event) const {
    return oracle_measures(spec_, feature, event, exponent_);
  }

  /// The largest age of all events, or the smallest of the measured ones.
  Fraction time_since(const Feature& feature) const {
    const bool oldest = feature.kind == FeatureKind::history;
    Fraction found;
    for (const OracleEvent& event : at_.history->events) {
      if (!oldest && !is_measured(feature, event)) continue;
      const Fraction age{static_cast<double>(at_.clock_ms - event.time_ms),
                         static_cast<double>(feature.unit_ms)};
      const bool better = oldest ? age.num > found.num : age.num < found.num;
      if (found.den == 0 || better) found = age;
    }
    return found;
  }

  /// Buckets one by one, from the newest of the window.
  Fraction run_length(const Feature& feature, const Inside& inside) const {
    const auto& values = feature.of_amount ? inside.sum_by_bucket : inside.count_by_bucket;
    const std::int64_t newest =
        oracle_bucket(feature.tier, at_.clock_ms, at_.clock_day) - feature.delay;
    const Wide unit = feature.of_amount ? static_cast<Wide>(std::pow(10, 4 - exponent_)) : 1;
    const auto reached = [&](std::int64_t bucket) {
      const auto found = values.find(bucket);
      const std::int64_t value = found == values.end() ? 0 : found->second;
      return static_cast<Wide>(value) * unit >= static_cast<Wide>(feature.mark);
    };
    if (feature.kind == FeatureKind::streak) {
      int streak = 0;
      while (streak < feature.length && reached(newest - streak)) ++streak;
      return {static_cast<double>(streak), 1.0};
    }
    if (values.empty()) return {};
    std::int64_t longest = 0, later = newest + 1;
    for (auto active = values.rbegin(); active != values.rend(); ++active) {
      longest = std::max(longest, later - active->first - 1);
      later = active->first;
    }
    return {static_cast<double>(longest), 1.0};
  }

  /// Event by event in the order of arrival, as the clock moves and each is added.
  Fraction decayed(const Feature& feature) const {
    std::int64_t value = 0, clock_ms = 0;
    absl::CivilDay clock_day;
    bool first = true;
    const auto move_clock = [&](std::int64_t time_ms, const absl::CivilDay& day) {
      const std::int64_t before = oracle_bucket(feature.tier, clock_ms, clock_day);
      clock_ms = first ? time_ms : std::max(clock_ms, time_ms);
      clock_day = first ? day : std::max(clock_day, day);
      if (!first) {
        value = decay(feature, value, oracle_bucket(feature.tier, clock_ms, clock_day) - before);
      }
      first = false;
    };
    for (const OracleEvent& event : at_.history->events) {
      move_clock(event.time_ms, event.day);
      if (!is_measured(feature, event)) continue;
      const std::int64_t age = oracle_bucket(feature.tier, clock_ms, clock_day) -
                               oracle_bucket(feature.tier, event.time_ms, event.day);
      const std::int64_t amount =
          feature.kind == FeatureKind::decayed_sum
              ? std::min(oracle_value(spec_, feature, event), decayed_max >> 16)
              : 1;
      value = std::min(decayed_max - decay(feature, amount << 16, age), value) +
              decay(feature, amount << 16, age);
    }
    move_clock(at_.clock_ms, at_.clock_day);
    return {static_cast<double>(value), 65536.0};
  }

  static std::int64_t decay(const Feature& feature, std::int64_t value, std::int64_t age) {
    if (age <= 0) return value;
    if (age > 62 * feature.length) return 0;
    const double factor = exact_exp(-0.69314718055994530942 * static_cast<double>(age) /
                                    static_cast<double>(feature.length));
    const auto q63 = static_cast<Wide>(std::round(std::ldexp(factor, 63)));
    return static_cast<std::int64_t>(static_cast<Wide>(value) * q63 >> 63);
  }

  Inside inside(const Feature& feature) const {
    Inside inside;
    for (const OracleEvent& event : at_.history->events) {
      if (!is_measured(feature, event)) continue;
      const std::int64_t bucket = oracle_bucket(feature.tier, event.time_ms, event.day);
      const std::int64_t age = oracle_bucket(feature.tier, at_.clock_ms, at_.clock_day) - bucket;
      if (age < feature.delay || age >= feature.delay + feature.length) continue;
      inside.add(event, oracle_value(spec_, feature, event), bucket, feature);
    }
    return inside;
  }

  const FeatureSpec& spec_;
  const OracleReading& at_;
  const int exponent_;
};

Fraction derived_value(const Feature& feature, const std::vector<Fraction>& numbers) {
  const auto part = [&](int index) { return numbers[static_cast<std::size_t>(index)]; };
  switch (feature.kind) {
    case FeatureKind::ratio:
      return ratio_of(part(feature.add[0]), part(feature.add[1]));
    case FeatureKind::change:
      return change_of(part(feature.add[0]), part(feature.add[1]));
    case FeatureKind::difference:
      return difference_of(part(feature.add[0]), part(feature.add[1]));
    default:
      break;
  }
  Fraction net{0.0, 1.0};
  for (const int index : feature.add) net.num += part(index).num;
  for (const int index : feature.subtract) net.num -= part(index).num;
  return net;
}

float column_value(const Feature& feature, Fraction number, int exponent) {
  if (feature.scale > 0) number.den *= std::pow(10.0, exponent);
  if (feature.scale < 0) number.num *= std::pow(10.0, exponent);
  return number.den == 0 ? feature.empty : static_cast<float>(number.num / number.den);
}

}  // namespace

bool oracle_measures(const FeatureSpec& spec, const Feature& feature, const OracleEvent& event,
                     int exponent) {
  const Measure& measure = spec.measures[static_cast<std::size_t>(feature.measure)];
  return (measure.types >> static_cast<unsigned>(event.type) & 1U) != 0 &&
         (event.bits & measure.need_mask) == measure.need_bits &&
         has_measured_amount(measure.amount, event.amount_minor, exponent);
}

std::int64_t oracle_bucket(Tier tier, std::int64_t time_ms, const absl::CivilDay& day) {
  switch (tier) {
    case Tier::minute:
    case Tier::hour: {
      const absl::CivilMinute minute(
          absl::ToCivilSecond(absl::FromUnixMillis(time_ms), absl::UTCTimeZone()));
      if (tier == Tier::minute) return minute - absl::CivilMinute(1970, 1, 1);
      return absl::CivilHour(minute) - absl::CivilHour(1970, 1, 1);
    }
    case Tier::day:
      return day_number(day);
    case Tier::week: {
      const absl::CivilDay monday = absl::PrevWeekday(day + 1, absl::Weekday::monday);
      return day_number(monday) / 7 - (day_number(monday) < 0 ? 1 : 0);  // Mondays are 7k - 3
    }
    case Tier::month:
      return absl::CivilMonth(day) - absl::CivilMonth(1970, 1, 1);
  }
  return 0;
}

std::vector<float> FeatureOracle::read(const OracleReading& merchant,
                                       const OracleReading* payer) const {
  const FeatureSpec& spec = plan_->spec();
  const Reader merchant_reader(spec, merchant);
  const Reader payer_reader(spec, payer != nullptr ? *payer : merchant);
  std::vector<Fraction> numbers;
  std::vector<float> row;
  for (const Feature& feature : spec.features) {
    const Reader& reader = feature.entity == Entity::payer ? payer_reader : merchant_reader;
    numbers.push_back(feature.add.empty() ? reader.number(feature)
                                          : derived_value(feature, numbers));
    if (feature.hidden) continue;
    row.push_back(feature.entity == Entity::payer && payer == nullptr
                      ? std::numeric_limits<float>::quiet_NaN()
                      : column_value(feature, numbers.back(), reader.exponent()));
  }
  return row;
}

}  // namespace tidemark
