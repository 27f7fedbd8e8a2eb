// See policy_config.hpp. Every mark has a default, so that a policy file says only what it changes;
// a section that is absent is switched off.
#include "models/policy_config.hpp"

#include <utility>

#include "kernels/base/read_file.hpp"
#include "kernels/base/strict_yaml.hpp"

namespace tidemark {
namespace {

/// A number within [least, most]; the default of the struct when the key is absent.
void read_mark(YamlMap& map, const std::string& key, double& mark, double least, double most) {
  mark = map.number(key, mark);
  if (!(mark >= least && mark <= most)) {
    map.fail(key, "is outside " + std::to_string(least) + " to " + std::to_string(most));
  }
}

constexpr double money_max = 9e13;  // in minor units of any currency this still fits int64

std::vector<PolicyTier> read_tiers(YamlMap& limit, double refuse_score) {
  std::vector<PolicyTier> tiers;
  for (const YAML::Node& node : limit.list("tiers")) {
    if (!node.IsMap()) YamlMap::fail_at(limit.origin(), node, "limit.tiers: expected a mapping");
    YamlMap entry(node, limit.origin(), "limit.tiers");
    PolicyTier tier;
    tier.name = entry.text("name");
    tier.score_below = entry.number("score_below");
    read_mark(entry, "score_below", tier.score_below, 0, 1);
    entry.number("multiplier");
    read_mark(entry, "multiplier", tier.multiplier, 0, 100);
    tier.price_bps = static_cast<std::int32_t>(entry.integer("price_bps", 0, 1'000'000));
    entry.done();
    if (!tiers.empty() && tier.score_below <= tiers.back().score_below) {
      entry.fail("score_below", "tiers must rise, the best comes first");
    }
    tiers.push_back(std::move(tier));
  }
  if (tiers.empty()) limit.fail("tiers", "at least one tier is required");
  if (tiers.size() > 100) limit.fail("tiers", "more than 100 tiers");
  if (tiers.back().score_below < refuse_score) {
    limit.fail("tiers", "the last tier must reach refuse_score");
  }
  return tiers;
}

IndustryFactors read_industry(YamlMap& industries, const std::string& name) {
  YamlMap entry = industries.map(name);
  IndustryFactors factors;
  factors.name = name;
  read_mark(entry, "volatility", factors.volatility, 0, 10);
  const std::vector<YAML::Node> season = entry.list("season");
  if (!season.empty() && season.size() != factors.season.size()) {
    entry.fail("season", "expected 12 factors, January first");
  }
  for (std::size_t month = 0; month < season.size(); ++month) {
    double& factor = factors.season[month];
    if (!YAML::convert<double>::decode(season[month], factor) || !(factor >= 0 && factor <= 10)) {
      YamlMap::fail_at(industries.origin(), season[month],
                       "season: expected a factor from 0 to 10");
    }
  }
  entry.done();
  return factors;
}

LimitPolicy read_limit(YamlMap& limit) {
  LimitPolicy policy;
  policy.enabled = true;
  read_mark(limit, "months_max", policy.months_max, 0, 5);
  read_mark(limit, "step", policy.step, 1, 1e9);
  read_mark(limit, "product_cap", policy.product_cap, 0, money_max);
  read_mark(limit, "limit_min", policy.limit_min, 0, money_max);
  read_mark(limit, "refuse_score", policy.refuse_score, 0, 1);
  read_mark(limit, "score_margin", policy.score_margin, 0, 1);
  read_mark(limit, "change_share", policy.change_share, 0, 10);
  read_mark(limit, "change_min", policy.change_min, 0, money_max);
  read_mark(limit, "history_days_min", policy.history_days_min, 0, 1e5);
  read_mark(limit, "months_active_min", policy.months_active_min, 0, 12);
  read_mark(limit, "payments_30d_min", policy.payments_30d_min, 0, 1e9);
  read_mark(limit, "suspend_fraud_count_30d", policy.suspend_fraud_count_30d, 1, 1e9);
  read_mark(limit, "suspend_chargeback_ratio_30d", policy.suspend_chargeback_ratio_30d, 0, 1e9);
  read_mark(limit, "suspend_chargeback_count_30d", policy.suspend_chargeback_count_30d, 1, 1e9);
  read_mark(limit, "release_share", policy.release_share, 0, 1);
  policy.suspend_on_red_alert = limit.flag("suspend_on_red_alert", policy.suspend_on_red_alert);
  if (policy.step != static_cast<double>(static_cast<std::int64_t>(policy.step))) {
    limit.fail("step", "expected a whole number");
  }
  policy.tiers = read_tiers(limit, policy.refuse_score);
  YamlMap industries = limit.map("industries");
  policy.industries.push_back(read_industry(industries, "default"));
  for (const std::string& name : industries.keys()) {
    if (name != "default") policy.industries.push_back(read_industry(industries, name));
  }
  limit.done();
  return policy;
}

FallPolicy read_fall(YamlMap& fall) {
  FallPolicy policy;
  policy.enabled = true;
  policy.week_on_week = fall.flag("week_on_week", policy.week_on_week);
  policy.against_baseline = fall.flag("against_baseline", policy.against_baseline);
  read_mark(fall, "fall", policy.fall, 0, 1);
  read_mark(fall, "takings_min", policy.takings_min, 0, money_max);
  read_mark(fall, "red_below", policy.red_below, 0, 1);
  read_mark(fall, "yellow_below", policy.yellow_below, policy.red_below, 1);
  read_mark(fall, "recovered_share", policy.recovered_share, 0, 10);
  policy.close_after_weeks = static_cast<std::int32_t>(
      fall.integer("close_after_weeks", policy.close_after_weeks, 1, 520));
  if (!policy.week_on_week && !policy.against_baseline) {
    fall.fail("week_on_week", "one of week_on_week and against_baseline must be on");
  }
  fall.done();
  return policy;
}

}  // namespace

PolicyConfig load_policy(const std::filesystem::path& file) {
  PolicyConfig config;
  config.text = read_file(file, yaml_bytes_max);
  YamlMap root(parse_yaml(config.text, file.string()), file.string());
  config.name = root.text("name");
  const bool limits = root.has("limit"), alerts = root.has("alerts");
  YamlMap limit = root.map("limit");
  if (limits) config.limit = read_limit(limit);
  YamlMap rules = root.map("alerts");
  if (alerts) {
    const bool fall_given = rules.has("two_week_fall");
    YamlMap fall = rules.map("two_week_fall");
    if (fall_given) config.fall = read_fall(fall);
    rules.done();
  }
  root.done();
  return config;
}

}  // namespace tidemark
