// The numbers of a policy as read from policy.yaml: marks, tiers, factor tables. Money marks are in
// major units of the merchant's own currency. Immutable after loading; models/policy applies them.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tidemark {

/// Credit scores below `score_below` fall into this tier (the first that fits).
struct PolicyTier {
  std::string name;
  double score_below = 0;  // probability of default
  double multiplier = 0;   // limit in months of net inflow, before the factors
  std::int32_t price_bps = 0;
};

/// Factors of one industry: how volatile it is, and its season by month (January first).
struct IndustryFactors {
  std::string name;
  double volatility = 1;
  std::array<double, 12> season{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
};

/// Flow limit, rule R1 with the product cap R7, refusal, thin file and suspension.
struct LimitPolicy {
  bool enabled = false;
  double months_max = 5;           // never above this many months of net inflow
  double step = 100;               // limits are whole steps, rounded down
  double product_cap = 3'000'000;  // R7, applied last
  double limit_min = 1000;         // below it there is no limit
  double refuse_score = 0.3;       // probability of default from which the limit is refused
  double score_margin = 0.1;       // relative: a tier or refusal changes only beyond it
  double change_share = 0.1;       // an amount is published when it moves by more than this share
  double change_min = 500;         // and by at least this much
  double history_days_min = 60;
  double months_active_min = 3;
  double payments_30d_min = 20;
  double suspend_fraud_count_30d = 3;
  double suspend_chargeback_ratio_30d = 0.03;
  double suspend_chargeback_count_30d = 3;  // the ratio counts only from this many on
  double release_share = 0.5;               // suspension ends below this share of its marks
  bool suspend_on_red_alert = true;
  std::vector<PolicyTier> tiers;            // best first
  std::vector<IndustryFactors> industries;  // [0] is the default
};

/// Two-week fall, rule R21.
struct FallPolicy {
  bool enabled = false;
  bool week_on_week = true, against_baseline = true;  // the readings in force
  double fall = 0.4;                                  // "more than 40%"
  double takings_min = 1000;  // takings before the fall must be at least this
  double red_below = 0.15;    // last week's share of the takings before the fall
  double yellow_below = 0.3;
  double recovered_share = 0.7;        // closed when the last week is back at this share
  std::int32_t close_after_weeks = 8;  // or when the rule has not held for so long: a new normal
};

struct PolicyConfig {
  std::string name;
  LimitPolicy limit;
  FallPolicy fall;
  std::string text;  // the file as read, for the release
};

/// Throws UsageError with file, line and key for anything unknown, missing or out of range.
PolicyConfig load_policy(const std::filesystem::path& file);

}  // namespace tidemark
