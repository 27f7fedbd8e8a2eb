// See oracle.hpp. Everything here is written for reading: lists, maps and civil time, and no code
// shared with the engine but the last step from integers to a float, which defines the feature.
#include "features/oracle.hpp"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/base/currency.hpp"
#include "kernels/window/read_body.hpp"

namespace tidemark {
namespace {

absl::TimeZone load_zone(const std::string& name) {
  absl::TimeZone zone = absl::UTCTimeZone();
  absl::LoadTimeZone(name, &zone);
  return zone;
}

absl::CivilSecond local_second(std::int64_t time_ms, const absl::TimeZone& zone) {
  return absl::ToCivilSecond(absl::FromUnixMillis(time_ms), zone);
}

std::int64_t day_number(const absl::CivilDay& day) {
  return day - absl::CivilDay(1970, 1, 1);
}

// Buckets are numbered so that later ones have larger numbers; only differences matter.
std::int64_t bucket_of(Tier tier, std::int64_t time_ms, const absl::CivilDay& day) {
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

}  // namespace

// An accepted event, with the calendar of the zone in force when it came.
struct FeatureOracle::Event {
  std::string event_id;
  Source source = Source::payments;
  EventType type = EventType::none;
  std::int64_t time_ms = 0;
  std::int64_t amount_minor = 0;
  std::uint64_t payer_hash = 0;
  absl::CivilDay day;
  std::uint8_t bits = 0;
};

struct FeatureOracle::Merchant {
  std::vector<Event> events;
  absl::TimeZone zone;
  CurrencyCode first_currency = 0, profile_currency = 0;
  std::int64_t clock_ms = 0;
  absl::CivilDay clock_day;
  CurrencyCode currency() const {
    return profile_currency != 0 ? profile_currency : first_currency;
  }
};

/// The moment a row is read at, and the event it belongs to, if any.
struct FeatureOracle::Reading {
  std::int64_t clock_ms = 0;
  absl::CivilDay clock_day;
  const Event* event = nullptr;
};

namespace {

bool is_measured(const Measure& measure, EventType type, std::uint8_t bits) {
  return (measure.types >> static_cast<unsigned>(type) & 1U) != 0 &&
         (bits & measure.need_mask) == measure.need_bits;
}

// Events of one feature's measure inside its window, and their buckets.
struct Inside {
  std::map<std::int64_t, std::int64_t> sum_by_bucket, count_by_bucket;
  std::map<std::int64_t, Wide> squares_by_bucket;
  std::vector<std::int64_t> amounts;
  std::set<std::uint32_t> payer_bits;

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
    case FeatureKind::distinct:
      return {estimate_of(feature.sketch_bits, inside.payer_bits.size()), 1.0};
    case FeatureKind::active:
      return {static_cast<double>(active_buckets(feature.of_amount ? inside.sum_by_bucket
                                                                   : inside.count_by_bucket)),
              1.0};
    default:
      return {};
  }
}

}  // namespace

FeatureOracle::FeatureOracle(std::shared_ptr<const FeaturePlan> plan,
                             const MerchantTableOptions& options)
    : plan_(std::move(plan)), options_(options) {}

FeatureOracle::~FeatureOracle() = default;

FeatureOracle::Row FeatureOracle::next(const EventBatch& batch, std::size_t row) {
  if (batch.outcome[row] != Outcome::pending) return {batch.outcome[row], {}};
  const bool tombstone = batch.type[row] == EventType::tombstone;
  if (tombstone && !merchants_.contains(batch.merchant_id[row])) return {Outcome::applied, {}};
  std::unique_ptr<Merchant>& known = merchants_[std::string(batch.merchant_id[row])];
  if (known == nullptr) {
    known = std::make_unique<Merchant>();
    known->zone = load_zone(options_.default_zone);
  }
  Merchant& merchant = *known;
  const bool scored = is_scored_source(batch.source[row]);
  if (scored && merchant.currency() != 0 && merchant.currency() != batch.currency[row]) {
    return {Outcome::dead_lettered, {}};
  }
  for (const Event& earlier : merchant.events) {
    if (!earlier.event_id.empty() && earlier.event_id == batch.event_id[row] &&
        earlier.source == batch.source[row] &&
        earlier.time_ms >= merchant.clock_ms - options_.dedup_horizon_ms) {
      return {Outcome::duplicate, {}};
    }
  }
  const bool is_profile = batch.source[row] == Source::merchants;
  const Profile* profile = is_profile && batch.profile_index[row] != no_profile
                               ? &batch.profiles[static_cast<std::size_t>(batch.profile_index[row])]
                               : nullptr;
  const absl::TimeZone zone =
      !is_profile
          ? merchant.zone
          : load_zone(profile == nullptr || profile->time_zone.empty() ? options_.default_zone
                                                                       : profile->time_zone);
  const std::int64_t time_ms = tombstone ? merchant.clock_ms : batch.event_time_ms[row];
  const absl::CivilSecond second = local_second(time_ms, zone);
  Event event{std::string(batch.event_id[row]),
              batch.source[row],
              batch.type[row],
              time_ms,
              std::min(batch.amount_minor[row], bucket_sum_max),
              batch.payer_hash[row],
              absl::CivilDay(second),
              0};
  if (!is_profile && !merchant.events.empty()) {
    bool any_tier = false, covered = false;
    for (int t = 0; t < tier_count; ++t) {
      const std::int64_t buckets = plan_->windows().tier_buckets[t];
      const Tier tier = static_cast<Tier>(t);
      any_tier = any_tier || buckets > 0;
      covered = covered || bucket_of(tier, merchant.clock_ms, merchant.clock_day) -
                                   bucket_of(tier, time_ms, event.day) <
                               buckets;
    }
    if (any_tier && !covered) return {Outcome::late, {}};
  }
  if (is_profile) {
    merchant.zone = zone;
    const CurrencyCode before = merchant.currency();
    merchant.profile_currency = profile == nullptr ? 0 : profile->currency;
    if (merchant.first_currency != 0 && merchant.currency() != before) {
      for (Event& earlier : merchant.events) earlier.type = EventType::none;  // in no window now
    }
  }
  if (scored && merchant.first_currency == 0) merchant.first_currency = batch.currency[row];
  const absl::Weekday weekday = absl::GetWeekday(event.day);
  if (second.hour() <= 6) event.bits |= event_bit_night;
  if (weekday == absl::Weekday::saturday || weekday == absl::Weekday::sunday) {
    event.bits |= event_bit_weekend;
  }
  if ((batch.flags[row] & flag_certified) != 0) event.bits |= event_bit_certified;
  if (event.payer_hash != 0) event.bits |= event_bit_payer;
  const bool first = merchant.events.empty();
  merchant.clock_ms = first ? time_ms : std::max(merchant.clock_ms, time_ms);
  merchant.clock_day = first ? event.day : std::max(merchant.clock_day, event.day);
  merchant.events.push_back(std::move(event));
  if (!scored) return {Outcome::applied, {}};
  Event own = merchant.events.back();
  own.amount_minor = batch.amount_minor[row];  // the column shows it as it came
  return {Outcome::scored, read(merchant, {merchant.clock_ms, merchant.clock_day, &own})};
}

std::vector<float> FeatureOracle::read_out(std::string_view merchant_id, std::int64_t at_ms) const {
  const Merchant& merchant = *merchants_.find(merchant_id)->second;
  const absl::CivilDay day(local_second(at_ms, merchant.zone));
  return read(merchant,
              {std::max(merchant.clock_ms, at_ms), std::max(merchant.clock_day, day), nullptr});
}

std::vector<float> FeatureOracle::read(const Merchant& merchant, const Reading& reading) const {
  const FeatureSpec& spec = plan_->spec();
  const auto since = [&](std::int64_t time_ms, const Feature& feature) {
    return Fraction{static_cast<double>(reading.clock_ms - time_ms),
                    static_cast<double>(feature.unit_ms)};
  };
  const auto inside_of = [&](const Feature& feature) {
    Inside inside;
    const Measure& measure = spec.measures[static_cast<std::size_t>(feature.measure)];
    for (const Event& event : merchant.events) {
      if (!is_measured(measure, event.type, event.bits)) continue;
      const std::int64_t bucket = bucket_of(feature.tier, event.time_ms, event.day);
      const std::int64_t age =
          bucket_of(feature.tier, reading.clock_ms, reading.clock_day) - bucket;
      if (age < feature.delay || age >= feature.delay + feature.length) continue;
      std::int64_t& sum = inside.sum_by_bucket[bucket];
      sum = std::min(sum + event.amount_minor, bucket_sum_max);
      inside.count_by_bucket[bucket] += 1;
      Wide& squares = inside.squares_by_bucket[bucket];
      const Wide square =
          static_cast<Wide>(event.amount_minor) * static_cast<Wide>(event.amount_minor);
      squares = std::min(squares + square, Wide{1} << 120);
      inside.amounts.push_back(event.amount_minor);
      if (event.payer_hash != 0) {
        inside.payer_bits.insert(
            sketch_bit(event.payer_hash, static_cast<std::uint32_t>(feature.sketch_bits) / 64));
      }
    }
    return inside;
  };
  std::vector<Fraction> numbers;
  std::vector<float> row;
  const int exponent = std::max(0, currency_exponent(merchant.currency()));
  for (const Feature& feature : spec.features) {
    const auto part = [&](std::size_t i) {
      return numbers[static_cast<std::size_t>(feature.add[i])];
    };
    Fraction number;
    switch (feature.kind) {
      case FeatureKind::event_amount:
        if (reading.event != nullptr) {
          number = {static_cast<double>(reading.event->amount_minor), 1.0};
        }
        break;
      case FeatureKind::event_type:
        number = {reading.event != nullptr &&
                          (feature.types >> static_cast<unsigned>(reading.event->type) & 1U) != 0
                      ? 1.0
                      : 0.0,
                  1.0};
        break;
      case FeatureKind::event_bit:
        number = {reading.event != nullptr && (reading.event->bits & feature.bit) != 0 ? 1.0 : 0.0,
                  1.0};
        break;
      case FeatureKind::history:
        for (const Event& event : merchant.events) {
          const Fraction age = since(event.time_ms, feature);
          if (number.den == 0 || age.num > number.num) number = age;
        }
        break;
      case FeatureKind::since:
        for (const Event& event : merchant.events) {
          const Measure& measure = spec.measures[static_cast<std::size_t>(feature.measure)];
          if (!is_measured(measure, event.type, event.bits)) continue;
          const Fraction age = since(event.time_ms, feature);
          if (number.den == 0 || age.num < number.num) number = age;
        }
        break;
      case FeatureKind::ratio:
        number = ratio_of(part(0), part(1));
        break;
      case FeatureKind::change:
        number = change_of(part(0), part(1));
        break;
      case FeatureKind::difference:
        number = difference_of(part(0), part(1));
        break;
      case FeatureKind::net:
        number = {0.0, 1.0};
        for (const int index : feature.add)
          number.num += numbers[static_cast<std::size_t>(index)].num;
        for (const int index : feature.subtract) {
          number.num -= numbers[static_cast<std::size_t>(index)].num;
        }
        break;
      default:
        number = window_value(feature, inside_of(feature));
    }
    numbers.push_back(number);
    if (feature.hidden) continue;
    double num = number.num, den = number.den;
    if (feature.scale > 0) den *= std::pow(10.0, exponent);
    if (feature.scale < 0) num *= std::pow(10.0, exponent);
    row.push_back(den == 0 ? feature.empty : static_cast<float>(num / den));
  }
  return row;
}

}  // namespace tidemark
