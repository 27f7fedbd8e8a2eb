// Which reasons a decision carries: the policy's own rules first, each with the merchant's number
// and its mark, then what the forest says, summed by reason code so that a family of windows speaks
// once. Ranks are total orders (ties by code), so the same reasons come out everywhere.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "models/policy.hpp"
#include "models/policy_assess.hpp"

namespace tidemark {
namespace {

/// How far a value falls short of its mark, as a share of the mark: a rule's "contribution". A
/// value that is missing falls short by all of it.
float shortfall(double value, double mark) {
  if (!(mark > 0)) return 0.0F;
  const double share = (mark - value) / mark;
  return std::isfinite(share) ? static_cast<float>(share) : 1.0F;
}

/// Of a rule that was broken: positive, also where the value stands right on its mark.
float broken(float share) {
  return std::max(share, 1e-6F);
}

Reason rule_reason(RuleReason rule, std::size_t feature, double value, double typical,
                   float contribution) {
  Reason reason;
  reason.code = static_cast<std::uint16_t>(rule);
  reason.feature = static_cast<std::uint16_t>(feature);
  reason.value = static_cast<float>(value);
  reason.typical = static_cast<float>(typical);
  reason.contribution = contribution;
  return reason;
}

/// The candidates that are looked at: enough to fill a list although some repeat what rules said.
constexpr std::size_t candidates_max = 2 * reasons_max;

struct Candidates {
  std::array<std::uint16_t, candidates_max> codes;
  std::size_t count = 0;
};

/// The first codes in the order: wanted direction before the other, larger before smaller, lower
/// code first. `sums` of rules are NaN and left out.
Candidates rank(std::span<const double> sums, bool adverse) {
  Candidates ranked;
  const auto before = [&](std::uint16_t a, std::uint16_t b) {
    const double x = adverse ? sums[a] : -sums[a], y = adverse ? sums[b] : -sums[b];
    if ((x > 0) != (y > 0)) return x > 0;
    if (std::abs(x) != std::abs(y)) return std::abs(x) > std::abs(y);
    return a < b;
  };
  for (std::uint16_t code = rule_reason_count; code < sums.size(); ++code) {
    if (std::isnan(sums[code])) continue;
    std::size_t place = ranked.count;
    while (place > 0 && before(code, ranked.codes[place - 1])) --place;
    if (place == candidates_max) continue;
    if (ranked.count < candidates_max) ++ranked.count;
    std::copy_backward(ranked.codes.begin() + place, ranked.codes.begin() + ranked.count - 1,
                       ranked.codes.begin() + ranked.count);
    ranked.codes[place] = code;
  }
  return ranked;
}

}  // namespace

void Policy::forest_reasons(std::span<const float> row, const Explainer& explainer, bool adverse,
                            ReasonList& list, PolicyScratch& scratch) const {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  scratch.contributions.resize(baseline_.size());
  explainer.explain(row, scratch.contributions);
  scratch.code_sums.assign(code_count_, none);
  scratch.code_best.assign(code_count_, none);
  scratch.code_columns.resize(code_count_);
  for (std::size_t column = 0; column < column_codes_.size(); ++column) {
    double& sum = scratch.code_sums[column_codes_[column]];
    sum = std::isnan(sum) ? scratch.contributions[column] : sum + scratch.contributions[column];
  }
  // The column that moves the sum most in its own direction speaks for the code.
  for (std::size_t column = 0; column < column_codes_.size(); ++column) {
    const std::uint16_t code = column_codes_[column];
    const double c = scratch.contributions[column];
    const double share = scratch.code_sums[code] < 0 ? -c : c;
    if (std::isnan(scratch.code_best[code]) || share > scratch.code_best[code]) {
      scratch.code_best[code] = share;
      scratch.code_columns[code] = static_cast<std::uint16_t>(column);
    }
  }
  const Candidates ranked = rank(scratch.code_sums, adverse);
  const auto add = [&](bool repeat) {
    for (std::size_t i = 0; i < ranked.count && !list.full(); ++i) {
      const std::uint16_t code = ranked.codes[i], column = scratch.code_columns[code];
      if (list.speaks_of(column) != repeat) continue;
      Reason reason;
      reason.code = code;
      reason.feature = column;
      reason.value = row[column];
      reason.typical = baseline_[column];
      reason.contribution = static_cast<float>(scratch.code_sums[code]);
      list.add(reason);
    }
  };
  add(false);
  // A plan of very few features: better the same feature from two sides than fewer than 3 reasons.
  if (list.count < reasons_min) add(true);
}

void Policy::rule_reasons(const LimitInput& input, const Assessment& now,
                          const DecisionState& before, ReasonList& list) const {
  const LimitPolicy& policy = config_.limit;
  const LimitColumns& columns = limit_columns_;
  const auto short_of = [&](RuleReason rule, std::size_t column, double mark) {
    list.add(rule_reason(rule, column, input.row[column], mark,
                         broken(shortfall(input.row[column], mark))));
  };
  const auto over = [&](RuleReason rule, std::size_t column, double mark) {
    if (input.row[column] >= mark) {
      list.add(rule_reason(rule, column, input.row[column], mark,
                           broken(-shortfall(input.row[column], mark))));
    }
  };
  const bool falls = now.limit_minor < before.limit_minor;
  const auto net_inflow = [&] {
    const std::size_t at = columns.net_inflow_12m;
    const float net = input.row[at], typical = baseline_[at];
    list.add(rule_reason(RuleReason::inflow_changed, at, net, typical, shortfall(net, typical)));
  };
  if (now.status == LimitStatus::frozen) {
    list.add(rule_reason(RuleReason::frozen, no_feature, 1, 0, 1.0F));
    if (falls) net_inflow();
    return;
  }
  if (now.history_short) {
    short_of(RuleReason::history_short, columns.days_of_history, policy.history_days_min);
  }
  if (now.months_few) {
    short_of(RuleReason::months_few, columns.months_active_12m, policy.months_active_min);
  }
  if (now.payments_few) {
    short_of(RuleReason::payments_few, columns.payment_count_30d, now.payments_mark);
  }
  if (now.score_refused) {
    list.add(rule_reason(RuleReason::score_refused, no_feature, input.credit_score, now.refuse_mark,
                         broken(-shortfall(input.credit_score, now.refuse_mark))));
  }
  if (now.inflow_low) {
    short_of(RuleReason::inflow_low, columns.net_inflow_12m, now.inflow_needed);
  }
  if (now.tier == no_tier) return;
  if (now.status == LimitStatus::suspended) {
    const double share = before.status == LimitStatus::suspended ? policy.release_share : 1.0;
    over(RuleReason::fraud_confirmed, columns.fraud_count_30d,
         policy.suspend_fraud_count_30d * share);
    if (input.row[columns.chargeback_count_30d] >= policy.suspend_chargeback_count_30d * share) {
      over(RuleReason::chargebacks_high, columns.chargeback_ratio_30d,
           policy.suspend_chargeback_ratio_30d * share);
    }
    if (before.alert_open == 1 + static_cast<int>(AlertTier::red) && policy.suspend_on_red_alert) {
      short_of(RuleReason::alert_red, fall_columns_.ago1,
               std::bit_cast<double>(before.reference_bits));
    }
  }
  if (input.overlay_factor != 1.0) {
    list.add(rule_reason(RuleReason::overlay, no_feature, input.overlay_factor, 1,
                         shortfall(input.overlay_factor, 1)));
  }
  const float change = input.row[columns.change_1w];
  if (falls ? change < 0 : change > 0) {
    list.add(rule_reason(RuleReason::week_fell, columns.change_1w, change,
                         baseline_[columns.change_1w], -change));
  }
  if (falls && now.season < 1.0) {
    list.add(rule_reason(RuleReason::season, no_feature, now.season, 1, shortfall(now.season, 1)));
  }
  net_inflow();
}

void Policy::explain_limit(const LimitInput& input, const Assessment& now,
                           const DecisionState& before, LimitDecision& out,
                           PolicyScratch& scratch) const {
  const bool worse_tier = before.limit_version > 0 && now.tier > before.tier;
  const bool adverse =
      now.status != LimitStatus::active || now.limit_minor < before.limit_minor || worse_tier;
  ReasonList list;
  rule_reasons(input, now, before, list);
  forest_reasons(input.row, *credit_explainer_, adverse, list, scratch);
  out.reason_count = 0;
  for (const bool wanted : {true, false}) {
    for (std::size_t i = 0; i < list.count; ++i) {
      const bool against = list.reasons[i].contribution > 0;
      if ((against == adverse) == wanted) out.reasons[out.reason_count++] = list.reasons[i];
    }
  }
}

}  // namespace tidemark
