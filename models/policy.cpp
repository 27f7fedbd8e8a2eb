// Policy: binding to the plan, verdicts and the two-week fall (R21). The flow limit stands in
// policy_limit.cpp, the choice of reasons in policy_reasons.cpp.
#include "models/policy.hpp"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "kernels/base/failure.hpp"
#include "models/policy_assess.hpp"

namespace tidemark {
namespace {

std::size_t needed_column(std::span<const std::string> plan_names, std::string_view name,
                          std::string_view section) {
  const auto found = std::find(plan_names.begin(), plan_names.end(), name);
  if (found == plan_names.end()) {
    throw UsageError("policy: section '" + std::string(section) + "' needs the feature '" +
                     std::string(name) + "', which the feature spec does not have");
  }
  return static_cast<std::size_t>(found - plan_names.begin());
}

// The float features behind the rule are rounded by up to 6e-8 of their value. A fall by exactly
// the mark is not "more than" it, so the comparison leaves that much room.
constexpr double rounding_room = 1.0 - 1e-6;

constexpr std::uint8_t reading_week_on_week = 1, reading_baseline = 2;

}  // namespace

Policy::Policy(const Bundle& bundle, std::span<const std::string> plan_names)
    : config_(bundle.policy),
      review_threshold_(bundle.review_threshold),
      block_threshold_(bundle.block_threshold),
      baseline_(bundle.baseline),
      column_codes_(bundle.reasons.column_codes),
      code_count_(bundle.reasons.codes.size()) {
  const std::set<std::uint16_t> distinct(column_codes_.begin(), column_codes_.end());
  if (distinct.size() < reasons_min) {
    throw UsageError("policy: the features have " + std::to_string(distinct.size()) +
                     " reason codes; a decision needs 3 different ones");
  }
  const std::vector<float>& references =
      bundle.references.empty() ? bundle.baseline : bundle.references;
  const std::size_t count = bundle.references.empty() ? 1 : references.size() / baseline_.size();
  fraud_explainer_ =
      std::make_unique<Explainer>(bundle.fraud, bundle.fraud_columns, references, count);
  const auto column = [&](std::string_view section) {
    return [plan_names, section](std::string_view name) {
      return needed_column(plan_names, name, section);
    };
  };
  if (config_.limit.enabled) {
    if (!bundle.has_credit()) {
      throw UsageError("policy: section 'limit' needs a credit model, the bundle has none");
    }
    credit_explainer_ =
        std::make_unique<Explainer>(bundle.credit, bundle.credit_columns, references, count);
    const auto of = column("limit");
    limit_columns_ = {of("net_inflow_sum_12m"),   of("days_of_history"), of("months_active_12m"),
                      of("payment_count_30d"),    of("fraud_count_30d"), of("chargeback_count_30d"),
                      of("chargeback_ratio_30d"), of("inflow_change_1w")};
  }
  if (config_.fall.enabled) {
    const auto of = column("alerts.two_week_fall");
    fall_columns_ = {of("inflow_sum_1w_ago1"), of("inflow_sum_1w_ago2"), of("inflow_sum_1w_ago3"),
                     of("inflow_sum_8w_before")};
  }
}

Policy::~Policy() = default;
Policy::Policy(Policy&&) noexcept = default;
Policy& Policy::operator=(Policy&&) noexcept = default;

Additivity Policy::additivity() const {
  Additivity all = fraud_explainer_->additivity();
  if (credit_explainer_) {
    const Additivity credit = credit_explainer_->additivity();
    all = {all.rows + credit.rows, std::max(all.error_max, credit.error_max)};
  }
  return all;
}

std::vector<std::string> Policy::tier_names() const {
  std::vector<std::string> names;
  for (const PolicyTier& tier : config_.limit.tiers) names.push_back(tier.name);
  return names;
}

void Policy::verdict(std::span<const float> row, double fraud_score, VerdictDecision& out,
                     PolicyScratch& scratch) const {
  out.score = fraud_score;
  out.reason_count = 0;
  // A score that is no number is never an allow.
  if (fraud_score < review_threshold_) {
    out.verdict = Verdict::allow;
    return;
  }
  out.verdict = fraud_score < block_threshold_ ? Verdict::review : Verdict::block;
  ReasonList list;
  forest_reasons(row, *fraud_explainer_, true, list, scratch);
  std::copy_n(list.reasons.begin(), list.count, out.reasons.begin());
  out.reason_count = static_cast<std::uint8_t>(list.count);
}

void Policy::enter_currency(CurrencyCode currency, DecisionState& state) const {
  if (state.currency == 0 || state.currency == currency) return;
  state.currency = 0;  // the next limit is published, whatever it is
  state.limit_minor = 0;
  state.tier = no_tier;
  state.price_bps = 0;
  state.alert_week = 0;  // so long ago that an open alert closes
}

bool Policy::alert(std::span<const float> row, std::int32_t week_index, std::int64_t event_time_ms,
                   DecisionState& state, AlertDecision& out) const {
  const FallPolicy& rule = config_.fall;
  if (!rule.enabled) return false;
  const double ago1 = row[fall_columns_.ago1], ago2 = row[fall_columns_.ago2];
  const double ago3 = row[fall_columns_.ago3], baseline = row[fall_columns_.baseline];
  const double keep = (1.0 - rule.fall) * rounding_room;
  const bool weekly =
      rule.week_on_week && ago1 < keep * ago2 && ago2 < keep * ago3 && ago3 >= rule.takings_min;
  const bool below = rule.against_baseline && ago1 < keep * baseline && ago2 < keep * baseline &&
                     baseline >= rule.takings_min;
  if (state.alert_open == 0 && !weekly && !below) return false;

  double reference = std::bit_cast<double>(state.reference_bits);
  if (state.alert_open == 0) {
    reference = weekly && below ? std::max(ago3, baseline) : weekly ? ago3 : baseline;
  }
  const double share = ago1 / reference;
  AlertTier tier = share < rule.red_below      ? AlertTier::red
                   : share < rule.yellow_below ? AlertTier::yellow
                                               : AlertTier::blue;
  if (state.alert_open == 0) {
    out.state = AlertState::opened;
    ++state.alert_sequence;
    state.reference_bits = std::bit_cast<std::int64_t>(reference);
    state.alert_week = week_index;
  } else if (weekly || below) {
    const bool same_tier = state.alert_open == 1 + static_cast<int>(tier);
    if (week_index <= state.alert_week && same_tier) return false;
    out.state = AlertState::updated;
    state.alert_week = std::max(week_index, state.alert_week);
  } else {
    const bool recovered = share >= rule.recovered_share;
    if (!recovered && week_index - state.alert_week < rule.close_after_weeks) return false;
    out.state = AlertState::closed;
    tier = static_cast<AlertTier>(state.alert_open - 1);
  }
  if (out.state == AlertState::closed) {
    state.alert_open = 0;
    state.alert_week = 0;
    state.reference_bits = 0;
  } else {
    state.alert_open = static_cast<std::uint8_t>(1 + static_cast<int>(tier));
  }
  out.event_time_ms = event_time_ms;
  out.sequence = state.alert_sequence;
  out.rule = AlertRule::two_week_fall;
  out.tier = tier;
  out.numbers = {ago3, ago2, ago1, ago2 / ago3 - 1.0, ago1 / ago2 - 1.0};
  out.baseline = baseline;
  out.readings = static_cast<std::uint8_t>((weekly ? reading_week_on_week : 0) |
                                           (below ? reading_baseline : 0));
  return true;
}

}  // namespace tidemark
