// See oracle.hpp. Everything here and in oracle_read.cpp is written for reading: lists, maps and
// civil time, and no code shared with the engine but the last step from integers to a float, which
// defines the feature.
#include "features/oracle.hpp"

#include "features/oracle_history.hpp"

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

/// The event's day, the day that it was due, and what depends on the hour and the weekday there.
void set_calendar(OracleEvent& event, const absl::TimeZone& zone) {
  const absl::CivilSecond second = local_second(event.time_ms, zone);
  event.day = absl::CivilDay(second);
  const absl::Weekday weekday = absl::GetWeekday(event.day);
  const bool weekend = weekday == absl::Weekday::saturday || weekday == absl::Weekday::sunday;
  event.bits &= static_cast<std::uint8_t>(~(event_bit_night | event_bit_weekend));
  if (second.hour() <= 6) event.bits |= event_bit_night;
  if (weekend) event.bits |= event_bit_weekend;
  if ((event.bits & event_bit_due) != 0) {
    event.due_day = absl::CivilDay(local_second(event.due_ms, zone));
  }
}

}  // namespace

FeatureOracle::FeatureOracle(std::shared_ptr<const FeaturePlan> plan,
                             const MerchantTableOptions& options)
    : plan_(std::move(plan)), options_(options) {}

FeatureOracle::~FeatureOracle() = default;

FeatureOracle::Row FeatureOracle::next(const EventBatch& batch, std::size_t row,
                                       const RateTable* rates, bool wanted) {
  if (batch.outcome[row] != Outcome::pending) return {batch.outcome[row], {}};
  const bool tombstone = batch.type[row] == EventType::tombstone;
  if (tombstone && !merchants_.contains(batch.merchant_id[row])) return {Outcome::applied, {}};
  std::unique_ptr<OracleHistory>& known = merchants_[std::string(batch.merchant_id[row])];
  if (known == nullptr) {
    known = std::make_unique<OracleHistory>();
    known->zone = load_zone(options_.default_zone);
  }
  OracleHistory& merchant = *known;
  const bool scored = is_scored_source(batch.source[row]);
  CurrencyCode currency = batch.currency[row];
  std::int64_t amount_minor = batch.amount_minor[row];
  if (scored && merchant.currency() != 0 && merchant.currency() != currency) {
    const auto converted =
        oracle_amount(rates, batch.event_time_ms[row], amount_minor, currency, merchant.currency());
    if (!converted) return {Outcome::dead_lettered, {}};
    amount_minor = *converted;
    currency = merchant.currency();
  }
  for (const OracleEvent& earlier : merchant.events) {
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
  OracleEvent event;
  event.event_id = batch.event_id[row];
  event.source = batch.source[row];
  event.type = batch.type[row];
  event.time_ms = time_ms;
  event.amount_minor = amount_minor;
  event.payer_hash = batch.payer_hash[row];
  event.subject_hash =
      event.source == Source::feedback ? batch.ref_hash[row] : batch.event_id_hash[row];
  event.invoice = {std::string(batch.merchant_id[row]), batch.invoice_hash[row]};
  if (batch.due_time_ms[row] != no_time) {
    event.due_ms = batch.due_time_ms[row];
    event.bits |= event_bit_due;
  }
  set_calendar(event, zone);
  if (!is_profile && !merchant.events.empty()) {
    bool any_tier = false, covered = false;
    for (int t = 0; t < tier_count; ++t) {
      const std::int64_t buckets = plan_->windows().tier_buckets[t];
      const Tier tier = static_cast<Tier>(t);
      any_tier = any_tier || buckets > 0;
      covered = covered || oracle_bucket(tier, merchant.clock_ms, merchant.clock_day) -
                                   oracle_bucket(tier, time_ms, event.day) <
                               buckets;
    }
    if (any_tier && !covered) return {Outcome::late, {}};
  }
  if (is_profile) {
    merchant.zone = zone;
    merchant.industry = profile == nullptr ? "" : profile->industry;
    merchant.region = profile == nullptr ? "" : profile->region;
    const CurrencyCode before = merchant.currency();
    merchant.profile_currency = profile == nullptr ? 0 : profile->currency;
    if (merchant.first_currency != 0 && merchant.currency() != before) {
      for (OracleEvent& earlier : merchant.events)
        earlier.type = EventType::none;  // in no window now
      merchant.open.clear();
    }
  }
  if (scored && merchant.first_currency == 0) merchant.first_currency = currency;
  if ((batch.flags[row] & flag_certified) != 0) event.bits |= event_bit_certified;
  if (event.payer_hash != 0) event.bits |= event_bit_payer;
  if (batch.invoice_hash[row] != 0) event.bits |= event_bit_invoice;
  if (batch.order_hash[row] != 0) event.bits |= event_bit_order;
  merchant.take(std::move(event), oracle_open_max(plan_->spec(), Entity::merchant));
  if (!scored) return {Outcome::applied, {}};
  return read_scored(merchant, currency, wanted);
}

FeatureOracle::Row FeatureOracle::read_scored(const OracleHistory& merchant, CurrencyCode currency,
                                              bool wanted) {
  const OracleEvent own = merchant.events.back();
  const OracleReading reading{&merchant, merchant.clock_ms, merchant.clock_day, &own};
  const auto features_of = [&](const OracleReading* payer) {
    return wanted ? read(reading, payer) : std::vector<float>();
  };
  if (own.payer_hash == 0 || !plan_->payers_read(own.source)) {
    return {Outcome::scored, features_of(nullptr)};
  }
  std::unique_ptr<OracleHistory>& known = payers_[own.payer_hash];
  if (known == nullptr) {
    known = std::make_unique<OracleHistory>();
    known->zone = load_zone(options_.default_zone);
    known->first_currency = currency;
  }
  if (known->first_currency != currency) {
    return {Outcome::scored, features_of(nullptr)};
  }
  OracleEvent paid = own;
  set_calendar(paid, known->zone);
  known->take(std::move(paid), oracle_open_max(plan_->spec(), Entity::payer));
  const OracleReading payer{known.get(), known->clock_ms, known->clock_day, &own};
  return {Outcome::scored, features_of(&payer)};
}

std::vector<float> FeatureOracle::read_out(std::string_view merchant_id, std::int64_t at_ms) const {
  const OracleHistory& merchant = *merchants_.find(merchant_id)->second;
  const absl::CivilDay day(local_second(at_ms, merchant.zone));
  return read(
      {&merchant, std::max(merchant.clock_ms, at_ms), std::max(merchant.clock_day, day), nullptr},
      nullptr);
}

}  // namespace tidemark
