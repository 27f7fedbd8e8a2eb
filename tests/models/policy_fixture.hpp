// A bundle small enough to reason about by hand: stumps over a dozen features. Shared by the
// policy's tests; no file is read.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "models/policy.hpp"

namespace tidemark::testing {

inline const std::vector<std::string>& plan_names() {
  static const std::vector<std::string> names = {"amount",
                                                 "payment_count_30d",
                                                 "net_inflow_sum_12m",
                                                 "months_active_12m",
                                                 "days_of_history",
                                                 "fraud_count_30d",
                                                 "chargeback_count_30d",
                                                 "chargeback_ratio_30d",
                                                 "inflow_sum_1w_ago1",
                                                 "inflow_sum_1w_ago2",
                                                 "inflow_sum_1w_ago3",
                                                 "inflow_sum_8w_before",
                                                 "inflow_change_1w",
                                                 "payment_count_1h"};
  return names;
}

inline std::size_t column(const std::string& name) {
  const auto& names = plan_names();
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

/// One tree a feature: `low` up to the threshold, `high` above it.
struct Stump {
  std::string feature;
  double threshold, low, high;
};

inline Forest stump_forest(const std::vector<Stump>& stumps) {
  Forest forest;
  forest.link = Link::logistic;
  forest.objective = "binary";
  for (const Stump& stump : stumps) {
    ForestTree tree;
    tree.node_begin = static_cast<std::int32_t>(forest.nodes.size());
    tree.node_end = tree.node_begin + 1;
    tree.leaf_begin = static_cast<std::int32_t>(forest.leaf_values.size());
    tree.leaf_end = tree.leaf_begin + 2;
    ForestNode node;
    node.threshold = stump.threshold;
    node.feature = static_cast<std::int32_t>(forest.feature_names.size());
    node.left = ~0;
    node.right = ~1;
    node.missing = MissingKind::nan;
    node.default_left = true;
    forest.nodes.push_back(node);
    forest.leaf_values.push_back(stump.low);
    forest.leaf_values.push_back(stump.high);
    forest.trees.push_back(tree);
    forest.feature_names.push_back(stump.feature);
  }
  return forest;
}

inline std::vector<std::int32_t> columns_of(const Forest& forest) {
  std::vector<std::int32_t> columns;
  for (const std::string& name : forest.feature_names) {
    columns.push_back(static_cast<std::int32_t>(column(name)));
  }
  return columns;
}

inline ReasonTable reason_table() {
  ReasonTable table;
  for (std::size_t rule = 0; rule < rule_reason_count; ++rule) {
    table.codes.emplace_back(name_of(static_cast<RuleReason>(rule)));
    table.rule_texts.push_back(parse_reason_text("{value} against {typical}", "fixture"));
  }
  for (const std::string& name : plan_names()) {
    // The chargeback features share one code.
    const std::string code = name.starts_with("chargeback") ? "chargebacks" : name;
    const auto found = std::find(table.codes.begin(), table.codes.end(), code);
    table.column_codes.push_back(static_cast<std::uint16_t>(found - table.codes.begin()));
    if (found == table.codes.end()) table.codes.push_back(code);
    table.column_texts.push_back(parse_reason_text("{feature} is {value}", "fixture"));
  }
  return table;
}

inline Bundle small_bundle() {
  Bundle bundle;
  bundle.name = "small";
  bundle.version = "1";
  bundle.fraud = stump_forest({{"amount", 100, 0, 2},
                               {"payment_count_1h", 5, 0, 1},
                               {"chargeback_count_30d", 1, 0, 0.5},
                               {"chargeback_ratio_30d", 0.05, 0, 0.25},
                               {"days_of_history", 30, 0, -0.75}});
  bundle.credit = stump_forest({{"net_inflow_sum_12m", 50'000, 1, -1},
                                {"months_active_12m", 6, 0.5, -0.5},
                                {"inflow_change_1w", -0.2, 0.75, -0.1}});
  bundle.fraud_columns = columns_of(bundle.fraud);
  bundle.credit_columns = columns_of(bundle.credit);
  bundle.review_threshold = 0.5;
  bundle.block_threshold = 0.9;
  bundle.baseline = {20, 60, 240'000, 12, 700, 0, 0, 0, 5'000, 5'000, 5'000, 5'000, 0, 1};
  LimitPolicy& limit = bundle.policy.limit;
  limit.enabled = true;
  limit.refuse_score = 0.3;
  limit.tiers = {{"A", 0.05, 3.0, 480}, {"B", 0.3, 1.5, 960}};
  limit.industries = {IndustryFactors{"default", 1, {}}, IndustryFactors{"travel", 0.5, {}}};
  limit.industries[0].season.fill(1);
  limit.industries[1].season.fill(1);
  limit.industries[1].season[1] = 0.8;
  bundle.policy.fall.enabled = true;
  bundle.reasons = reason_table();
  bundle.fingerprint = "spec";
  bundle.models = {{"fraud", "fraud", "1", "fraud.txt", "ab"},
                   {"credit", "credit", "1", "credit.txt", "cd"}};
  return bundle;
}

/// A sound merchant: M = 20,000, well over every mark.
inline std::vector<float> sound_row() {
  return {20, 60, 240'000, 12, 700, 0, 0, 0, 5'000, 5'000, 5'000, 5'000, 0, 1};
}

inline LimitInput limit_input(const std::vector<float>& row, double credit_score = 0.01) {
  LimitInput input;
  input.row = row;
  input.credit_score = credit_score;
  input.currency = 'C' | 'N' << 8 | 'Y' << 16;
  input.event_time_ms = 1'522'540'800'000;
  return input;
}

}  // namespace tidemark::testing
