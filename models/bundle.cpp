// See bundle.hpp. The order of the checks is the order in which a reader meets the mistakes: file,
// SHA-256, spec, feature names, numbers.
#include "models/bundle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "kernels/base/failure.hpp"
#include "kernels/base/read_file.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/strict_yaml.hpp"
#include "models/load_forest.hpp"
#include "models/release.hpp"

namespace tidemark {
namespace {

using Names = std::span<const std::string>;

constexpr std::size_t references_max = 64;

std::optional<std::int32_t> column_of(Names plan_names, std::string_view name) {
  const auto found = std::find(plan_names.begin(), plan_names.end(), name);
  if (found == plan_names.end()) return std::nullopt;
  return static_cast<std::int32_t>(found - plan_names.begin());
}

std::filesystem::path named_file(YamlMap& map, const std::filesystem::path& dir) {
  const std::filesystem::path file = dir / map.text("file");
  std::error_code error;  // of a name that no file system takes, too
  if (!std::filesystem::is_regular_file(file, error)) {
    map.fail("file", "there is no file " + file.string());
  }
  return file;
}

void check_sha256(YamlMap& map, const std::filesystem::path& file, const std::string& actual) {
  const std::string stated = map.text("sha256");
  if (stated != actual) {
    map.fail("sha256", file.string() + " has SHA-256 " + actual + ", not " + stated);
  }
}

std::string sha256_of_named(const std::filesystem::path& file) {
  return sha256_hex(read_file(file, model_bytes_max));
}

/// Binds the model's features to plan columns; the manifest's list must be the model's own.
std::vector<std::int32_t> bind_features(YamlMap& model, const Forest& forest, Names plan_names) {
  const std::vector<YAML::Node> listed = model.list("features");
  if (listed.size() != forest.feature_names.size()) {
    model.fail("features", "lists " + std::to_string(listed.size()) + " features, the model has " +
                               std::to_string(forest.feature_names.size()));
  }
  std::vector<std::int32_t> columns;
  for (std::size_t f = 0; f < listed.size(); ++f) {
    const std::string name = listed[f].IsScalar() ? listed[f].Scalar() : std::string();
    if (name != forest.feature_names[f]) {
      YamlMap::fail_at(model.origin(), listed[f],
                       "feature " + std::to_string(f) + " is '" + name + "', in the model '" +
                           forest.feature_names[f] + "'");
    }
    const auto column = column_of(plan_names, name);
    if (!column) {
      YamlMap::fail_at(model.origin(), listed[f],
                       "feature '" + name + "' is not in the feature spec");
    }
    columns.push_back(*column);
  }
  return columns;
}

struct LoadedModel {
  Forest forest;
  std::vector<std::int32_t> columns;
  GoldenRows golden;
  ModelEntry entry;
};

LoadedModel load_model(YamlMap& models, const std::string& role, const std::filesystem::path& dir,
                       Names plan_names) {
  YamlMap map = models.map(role);
  LoadedModel model;
  const std::filesystem::path file = named_file(map, dir);
  const std::string sha256 = sha256_of_named(file);
  check_sha256(map, file, sha256);
  model.entry = {role, map.text("name"), map.text("version"), file.filename().string(), sha256};
  model.forest = load_forest(file);
  if (model.forest.outputs != 1) map.fail("file", "the model has more than one output");
  if (model.forest.link != Link::logistic) {
    map.fail("file", "the model gives no probability (objective " + model.forest.objective +
                         "); a binary objective is needed");
  }
  model.columns = bind_features(map, model.forest, plan_names);
  if (map.has("golden")) {
    YamlMap golden = map.map("golden");
    const std::filesystem::path rows = named_file(golden, dir);
    check_sha256(golden, rows, sha256_of_named(rows));
    golden.done();
    model.golden = load_golden_rows(rows, model.forest.feature_names);
  }
  map.map("golden");
  map.done();
  return model;
}

void read_thresholds(YamlMap& root, Bundle& bundle) {
  YamlMap thresholds = root.map("thresholds");
  bundle.review_threshold = thresholds.number("review");
  bundle.block_threshold = thresholds.number("block");
  if (!(bundle.review_threshold >= 0 && bundle.review_threshold <= bundle.block_threshold)) {
    thresholds.fail("review", "must lie between 0 and thresholds.block");
  }
  thresholds.done();
}

/// The values of a mapping, by feature, over those of `row`.
void read_row(YamlMap& values, Names plan_names, std::vector<float>& row) {
  for (const std::string& name : values.keys()) {
    const YAML::Node node = values.node(name);
    double value = 0;
    if (!node.IsScalar() || !YAML::convert<double>::decode(node, value)) {
      values.fail(name, "expected a number or .nan");
    }
    if (std::fabs(value) > std::numeric_limits<float>::max()) {
      values.fail(name, "is beyond what a feature can hold");
    }
    const auto column = column_of(plan_names, name);
    if (!column) values.fail(name, "is not in the feature spec");
    row[static_cast<std::size_t>(*column)] = static_cast<float>(value);
  }
}

/// The typical merchant, and others that differ from it in what they name.
void read_baseline(YamlMap& root, Names plan_names, Bundle& bundle) {
  bundle.baseline.assign(plan_names.size(), std::numeric_limits<float>::quiet_NaN());
  YamlMap baseline = root.map("baseline");
  read_row(baseline, plan_names, bundle.baseline);
  const std::vector<YAML::Node> references = root.list("references");
  if (references.size() > references_max) root.fail("references", "more than 64 of them");
  for (const YAML::Node& node : references) {
    if (!node.IsMap()) YamlMap::fail_at(root.origin(), node, "references: expected a mapping");
    YamlMap reference(node, root.origin(), "references");
    std::vector<float> row = bundle.baseline;
    read_row(reference, plan_names, row);
    bundle.references.insert(bundle.references.end(), row.begin(), row.end());
  }
}

void check_baseline_is_complete(YamlMap& root, const Forest& forest) {
  YamlMap baseline = root.map("baseline");
  for (const std::string& name : forest.feature_names) {
    if (!baseline.node(name).IsDefined()) {
      root.fail("baseline", "feature '" + name + "' of a model has no typical value");
    }
  }
}

void check_fingerprint(YamlMap& root, Bundle& bundle, std::string_view plan_fingerprint) {
  YamlMap spec = root.map("spec");
  bundle.fingerprint = spec.text("fingerprint");
  // A bundle that was trained on nothing fits every spec: it is there to collect the first rows.
  if (bundle.fingerprint != "any" && bundle.fingerprint != plan_fingerprint) {
    spec.fail("fingerprint", "trained on feature spec " + bundle.fingerprint +
                                 ", but the configured spec is " + std::string(plan_fingerprint) +
                                 "; retrain the bundle or configure its spec");
  }
  spec.done();
}

/// The file of a section that may also state its SHA-256: a policy is edited by hand, so the
/// manifest need not know it, and the release fingerprint covers its bytes anyway.
std::filesystem::path section_file(YamlMap& root, const std::string& key,
                                   const std::filesystem::path& dir) {
  YamlMap section = root.map(key);
  const std::filesystem::path file = named_file(section, dir);
  if (section.has("sha256")) check_sha256(section, file, sha256_of_named(file));
  section.text("sha256", "");
  section.done();
  return file;
}

}  // namespace

Bundle load_bundle(const std::filesystem::path& dir, std::span<const std::string> plan_names,
                   std::string_view plan_fingerprint) {
  const std::filesystem::path manifest = dir / "manifest.yaml";
  if (std::error_code error; !std::filesystem::is_regular_file(manifest, error)) {
    throw UsageError(manifest.string() + ": there is no such manifest of a model bundle");
  }
  YamlMap root = YamlMap::load(manifest);
  Bundle bundle;
  root.integer("format", 1, 1);
  bundle.name = root.text("name");
  bundle.version = root.text("version");
  check_fingerprint(root, bundle, plan_fingerprint);
  YamlMap models = root.map("models");
  LoadedModel fraud = load_model(models, "fraud", dir, plan_names);
  bundle.fraud = std::move(fraud.forest);
  bundle.fraud_columns = std::move(fraud.columns);
  bundle.fraud_golden = std::move(fraud.golden);
  bundle.models.push_back(std::move(fraud.entry));
  if (models.has("credit")) {
    LoadedModel credit = load_model(models, "credit", dir, plan_names);
    bundle.credit = std::move(credit.forest);
    bundle.credit_columns = std::move(credit.columns);
    bundle.credit_golden = std::move(credit.golden);
    bundle.models.push_back(std::move(credit.entry));
  }
  models.map("credit");
  models.done();
  read_thresholds(root, bundle);
  bundle.policy = load_policy(section_file(root, "policy", dir));
  if (bundle.policy.limit.enabled && !bundle.has_credit()) {
    root.fail("policy", "section 'limit' of the policy needs a credit model, the bundle has none");
  }
  bundle.reasons = load_reasons(section_file(root, "reasons", dir), plan_names);
  if (root.has("rates")) {
    bundle.rates = section_file(root, "rates", dir);
    bundle.rates_sha256 = sha256_of_named(bundle.rates);
  }
  root.map("rates");
  read_baseline(root, plan_names, bundle);
  check_baseline_is_complete(root, bundle.fraud);
  check_baseline_is_complete(root, bundle.credit);
  // What the model was trained on is for readers: kept in the file, its keys are free.
  root.map("training");
  root.done();
  return bundle;
}

}  // namespace tidemark
