// The policy: turns scores and features into verdicts, limits and alerts. Const and shared by all
// workers, each with its own scratch; what a merchant's past decisions left behind is in its
// DecisionState. It reads no clock and keeps no state of its own.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/decision.hpp"
#include "kernels/data/event_batch.hpp"
#include "models/bundle.hpp"
#include "models/explain.hpp"

namespace tidemark {

/// `tier` of a limit that has none (thin file, refused).
inline constexpr std::uint8_t no_tier = 0xFF;

/// One merchant read out at one instant.
struct LimitInput {
  std::span<const float> row;  // plan columns
  double credit_score = 0;     // probability of default, after the link
  std::string_view industry;   // of the profile, may be empty
  int month = 1;               // 1 to 12, of the instant in the merchant's zone
  double overlay_factor = 1;   // of the overlays in force for its region and industry
  bool frozen = false;         // besides DecisionState::frozen: a freeze of all merchants
  CurrencyCode currency = 0;
  int currency_exponent = 2;
  std::int64_t event_time_ms = 0;
};

/// What a worker needs to explain; grows to its size at the first use.
struct PolicyScratch {
  std::vector<double> contributions;        // [plan column]
  std::vector<double> code_sums;            // [reason code]
  std::vector<double> code_best;            // [reason code]
  std::vector<std::uint16_t> code_columns;  // [reason code]: the column that speaks for it
};

class Policy {
 public:
  /// Keeps copies of what it needs. Throws UsageError when the policy needs a feature that the plan
  /// does not have, or a credit model that the bundle does not have.
  Policy(const Bundle& bundle, std::span<const std::string> plan_names);
  ~Policy();
  Policy(Policy&&) noexcept;
  Policy& operator=(Policy&&) noexcept;

  bool has_limits() const { return config_.limit.enabled; }
  bool has_alerts() const { return config_.fall.enabled; }
  std::vector<std::string> tier_names() const;
  /// Of the reasons given so far, by either model.
  Additivity additivity() const;

  /// Fills everything but `row`. `fraud_score` is a probability. At least 3 reasons unless allow.
  void verdict(std::span<const float> row, double fraud_score, VerdictDecision& out,
               PolicyScratch& scratch) const;

  /// To be called before alert() and limit(). Where the merchant's currency has changed, what was
  /// published in the earlier one is forgotten: money of two currencies cannot be compared.
  void enter_currency(CurrencyCode currency, DecisionState& state) const;

  /// True when an alert is to be published; fills all of `out` but `row` and `slot`. `week_index`
  /// counts Mondays in the merchant's zone. Call it before limit(), which suspends on a red alert.
  bool alert(std::span<const float> row, std::int32_t week_index, std::int64_t event_time_ms,
             DecisionState& state, AlertDecision& out) const;

  /// True when a limit is to be published; fills all of `out` but `row` and `slot`, and moves
  /// `state`. Called for every scored event in the merchant's order and by sweeps.
  bool limit(const LimitInput& input, DecisionState& state, LimitDecision& out,
             PolicyScratch& scratch) const;

 private:
  struct LimitColumns {
    std::size_t net_inflow_12m, days_of_history, months_active_12m, payment_count_30d;
    std::size_t fraud_count_30d, chargeback_count_30d, chargeback_ratio_30d, change_1w;
  };
  struct FallColumns {
    std::size_t ago1, ago2, ago3, baseline;
  };
  struct Assessment;
  struct ReasonList;

  double refuse_mark(const DecisionState& state) const;
  std::uint8_t tier_of(double score, const DecisionState& state) const;
  bool suspended(std::span<const float> row, const DecisionState& state) const;
  void assess_history(const LimitInput& input, const DecisionState& state, Assessment& now) const;
  void assess_amount(const LimitInput& input, const DecisionState& state, Assessment& now) const;
  Assessment assess(const LimitInput& input, const DecisionState& state) const;
  bool to_publish(const Assessment& now, const DecisionState& before) const;
  void explain_limit(const LimitInput& input, const Assessment& now, const DecisionState& before,
                     LimitDecision& out, PolicyScratch& scratch) const;
  void rule_reasons(const LimitInput& input, const Assessment& now, const DecisionState& before,
                    ReasonList& list) const;
  void forest_reasons(std::span<const float> row, const Explainer& explainer, bool adverse,
                      ReasonList& list, PolicyScratch& scratch) const;

  PolicyConfig config_;
  double review_threshold_, block_threshold_;
  std::vector<float> baseline_;
  std::vector<std::uint16_t> column_codes_;
  std::size_t code_count_ = 0;
  std::unique_ptr<Explainer> fraud_explainer_, credit_explainer_;
  LimitColumns limit_columns_{};
  FallColumns fall_columns_{};
};

}  // namespace tidemark
