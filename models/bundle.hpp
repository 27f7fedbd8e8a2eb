// A model bundle: a directory with a manifest, the forests, the policy and the reason table,
// checked as a whole when it is loaded and immutable from then on. It binds model features to plan
// columns by name; it scores nothing, and of exchange rates it knows the file alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/forest.hpp"
#include "models/golden_rows.hpp"
#include "models/policy_config.hpp"
#include "models/reasons.hpp"

namespace tidemark {

/// What the release says about one model.
struct ModelEntry {
  std::string role;  // "fraud", "credit"
  std::string name, version, file, sha256;
};

struct Bundle {
  std::string name, version;
  Forest fraud, credit;  // credit has no features when the bundle has none
  std::vector<std::int32_t> fraud_columns, credit_columns;  // model feature -> plan column
  GoldenRows fraud_golden, credit_golden;                   // empty where the bundle has none
  double review_threshold = 1, block_threshold = 1;         // probabilities, after the link
  std::vector<float> baseline;                              // [plan column], NaN = missing
  std::vector<float> references;  // rows like it that reasons are averaged over; empty: it alone
  PolicyConfig policy;
  ReasonTable reasons;
  std::string fingerprint;  // of the feature plan that it was trained on, or "any"
  std::vector<ModelEntry> models;
  std::filesystem::path rates;  // the table of exchange rates, empty where the bundle has none
  std::string rates_sha256;

  bool has_credit() const { return !credit.feature_names.empty(); }
};

/// Loads `dir`/manifest.yaml and everything it names. Throws UsageError, one line naming file and
/// key: a missing file, another SHA-256, a feature that the plan does not have or in another order
/// than the model's, another plan fingerprint, an unknown key, a wrong type.
Bundle load_bundle(const std::filesystem::path& dir, std::span<const std::string> plan_names,
                   std::string_view plan_fingerprint);

}  // namespace tidemark
