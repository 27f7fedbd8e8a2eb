// The flow limit R1: limit = M x f, M = net inflow of 12 months / 12, f = tier x volatility x
// season x overlay, never above 5 x M, the product cap R7 last. Doubles in one fixed order of
// operations, then whole steps in minor units: the same bits on every machine.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "models/policy.hpp"
#include "models/policy_assess.hpp"

namespace tidemark {
namespace {

const IndustryFactors& factors_of(const LimitPolicy& policy, std::string_view industry) {
  for (std::size_t i = 1; i < policy.industries.size(); ++i) {
    if (policy.industries[i].name == industry) return policy.industries[i];
  }
  return policy.industries.front();
}

std::int64_t minor_per_major(int exponent) {
  std::int64_t scale = 1;
  for (int digit = 0; digit < exponent; ++digit) scale *= 10;
  return scale;
}

/// Whole steps that fit into `amount`, in minor units; never more than `amount`.
std::int64_t round_down(double amount, double step, std::int64_t scale) {
  if (!(amount >= step)) return 0;
  double steps = std::floor(amount / step);
  if (steps * step > amount) steps -= 1;  // the division may have rounded up to a whole number
  return static_cast<std::int64_t>(steps) * static_cast<std::int64_t>(step) * scale;
}

/// What no limit may exceed: so many months of net inflow, and the product cap. The feature may
/// have been rounded up to a float, so the float below it counts.
double cap_of(const LimitPolicy& policy, float net_inflow_12m) {
  const double net = std::nextafter(net_inflow_12m, -std::numeric_limits<float>::infinity());
  return std::min(net / 12.0 * policy.months_max, policy.product_cap);
}

/// A merchant that holds a limit, whether or not it can be drawn at the moment.
bool holds_limit(const DecisionState& state) {
  return state.limit_version > 0 && state.tier != no_tier;
}

}  // namespace

/// From this score on the limit is refused. Around what was published lies a margin in which
/// nothing changes, or a score that wavers would publish with each payment.
double Policy::refuse_mark(const DecisionState& state) const {
  const LimitPolicy& policy = config_.limit;
  if (holds_limit(state)) return policy.refuse_score * (1.0 + policy.score_margin);
  const bool refused = state.limit_version > 0 && state.status == LimitStatus::none;
  return refused ? policy.refuse_score * (1.0 - policy.score_margin) : policy.refuse_score;
}

/// The tier of a score that is not refused; the published one within its margin.
std::uint8_t Policy::tier_of(double score, const DecisionState& state) const {
  const LimitPolicy& policy = config_.limit;
  if (holds_limit(state) && state.tier < policy.tiers.size()) {
    const double low = state.tier == 0 ? 0.0 : policy.tiers[state.tier - 1U].score_below;
    if (score >= low * (1.0 - policy.score_margin) &&
        score < policy.tiers[state.tier].score_below * (1.0 + policy.score_margin)) {
      return state.tier;
    }
  }
  std::size_t tier = 0;
  while (tier + 1 < policy.tiers.size() && score >= policy.tiers[tier].score_below) ++tier;
  return static_cast<std::uint8_t>(tier);
}

bool Policy::suspended(std::span<const float> row, const DecisionState& state) const {
  const LimitPolicy& policy = config_.limit;
  const double share = state.status == LimitStatus::suspended ? policy.release_share : 1.0;
  const double chargebacks = row[limit_columns_.chargeback_count_30d];
  const bool red = state.alert_open == 1 + static_cast<int>(AlertTier::red);
  return row[limit_columns_.fraud_count_30d] >= policy.suspend_fraud_count_30d * share ||
         (row[limit_columns_.chargeback_ratio_30d] >= policy.suspend_chargeback_ratio_30d * share &&
          chargebacks >= policy.suspend_chargeback_count_30d * share) ||
         (red && policy.suspend_on_red_alert);
}

void Policy::assess_history(const LimitInput& input, const DecisionState& state,
                            Assessment& now) const {
  const LimitPolicy& policy = config_.limit;
  const auto at = [&](std::size_t column) { return static_cast<double>(input.row[column]); };
  now.history_short = !(at(limit_columns_.days_of_history) >= policy.history_days_min);
  now.months_few = !(at(limit_columns_.months_active_12m) >= policy.months_active_min);
  // To win a limit takes the full mark, to keep it half of it.
  now.payments_mark = holds_limit(state) ? policy.payments_30d_min / 2 : policy.payments_30d_min;
  now.payments_few = !(at(limit_columns_.payment_count_30d) >= now.payments_mark);
}

void Policy::assess_amount(const LimitInput& input, const DecisionState& state,
                           Assessment& now) const {
  const LimitPolicy& policy = config_.limit;
  const PolicyTier& tier = policy.tiers[now.tier];
  const IndustryFactors& industry = factors_of(policy, input.industry);
  const std::int64_t scale = minor_per_major(input.currency_exponent);
  now.season = industry.season[static_cast<std::size_t>(input.month - 1)];
  const double factor = std::min(
      tier.multiplier * industry.volatility * now.season * input.overlay_factor, policy.months_max);
  const float net = input.row[limit_columns_.net_inflow_12m];
  const double cap = cap_of(policy, net);
  now.cap_minor = round_down(cap, policy.step, scale);
  now.limit_minor = round_down(std::min(net / 12.0 * factor, cap), policy.step, scale);
  now.price_bps = tier.price_bps;
  now.change_min_minor = static_cast<std::int64_t>(policy.change_min * static_cast<double>(scale));
  const double room = holds_limit(state) ? 1.0 - std::min(policy.change_share, 1.0) : 1.0;
  const double least = std::max(policy.limit_min * room, policy.step);
  now.inflow_low = !(static_cast<double>(now.limit_minor) >= least * static_cast<double>(scale));
  now.inflow_needed = factor > 0 ? least / factor * 12.0 : 0.0;
}

Policy::Assessment Policy::assess(const LimitInput& input, const DecisionState& state) const {
  Assessment now;
  assess_history(input, state, now);
  if (input.frozen || state.frozen != 0) {
    // A freeze holds what was published as far as the cap allows; nothing of it can be drawn.
    now.status = LimitStatus::frozen;
    const bool held = holds_limit(state);
    now.tier = held ? state.tier : no_tier;
    now.price_bps = held ? state.price_bps : 0;
    now.cap_minor = round_down(cap_of(config_.limit, input.row[limit_columns_.net_inflow_12m]),
                               config_.limit.step, minor_per_major(input.currency_exponent));
    now.limit_minor = held ? std::min(state.limit_minor, now.cap_minor) : 0;
    return now;
  }
  // Few payments are a thin file for a newcomer; who had a limit, or was refused one, has stopped.
  const bool newcomer = state.limit_version == 0 || state.status == LimitStatus::thin_file ||
                        (state.status == LimitStatus::frozen && state.tier == no_tier);
  if (now.history_short || now.months_few || (now.payments_few && newcomer)) {
    now.status = LimitStatus::thin_file;
    return now;
  }
  if (now.payments_few) return now;
  now.refuse_mark = refuse_mark(state);
  now.score_refused = !(input.credit_score < now.refuse_mark);
  if (now.score_refused) return now;
  now.tier = tier_of(input.credit_score, state);
  assess_amount(input, state, now);
  if (now.inflow_low) {
    now.tier = no_tier;
    now.price_bps = 0;
    now.limit_minor = 0;
    return now;
  }
  now.status = LimitStatus::active;
  if (suspended(input.row, state)) {
    // A soft signal stops new credit (R25): the limit may fall with the flow but not rise.
    now.status = LimitStatus::suspended;
    now.limit_minor = std::min(now.limit_minor, state.limit_minor);
  }
  return now;
}

bool Policy::to_publish(const Assessment& now, const DecisionState& before) const {
  if (before.limit_version == 0 || before.currency == 0 || now.status != before.status ||
      now.tier != before.tier || now.price_bps != before.price_bps) {
    return true;
  }
  if (now.limit_minor == before.limit_minor) return false;
  if (before.limit_minor > now.cap_minor) return true;
  const std::int64_t moved = std::abs(now.limit_minor - before.limit_minor);
  return moved >= now.change_min_minor &&
         static_cast<double>(moved) >
             config_.limit.change_share * static_cast<double>(before.limit_minor);
}

bool Policy::limit(const LimitInput& input, DecisionState& state, LimitDecision& out,
                   PolicyScratch& scratch) const {
  if (!config_.limit.enabled) return false;
  const Assessment now = assess(input, state);
  if (!to_publish(now, state)) return false;
  out.event_time_ms = input.event_time_ms;
  out.version = state.limit_version + 1;
  out.status = now.status;
  out.tier = now.tier;
  out.price_bps = now.price_bps;
  out.currency = input.currency;
  out.limit_minor = now.limit_minor;
  out.previous_minor = state.limit_minor;
  out.available_minor = now.status == LimitStatus::active ? now.limit_minor : 0;
  explain_limit(input, now, state, out, scratch);
  state.limit_version = out.version;
  state.limit_minor = out.limit_minor;
  state.status = out.status;
  state.tier = out.tier;
  state.price_bps = out.price_bps;
  state.currency = out.currency;
  state.score_bits = std::bit_cast<std::int64_t>(input.credit_score);
  return true;
}

}  // namespace tidemark
