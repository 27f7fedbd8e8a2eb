// Loading a bundle: what fits is bound by name; whatever does not is one line with file and key.
#include "models/bundle.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "kernels/base/failure.hpp"
#include "kernels/base/sha256.hpp"
#include "models/policy.hpp"
#include "models/release.hpp"

namespace tidemark {
namespace {

using Path = std::filesystem::path;

/// Two stumps over two features, as LightGBM writes them.
std::string model_text(const std::string& features) {
  const std::string head =
      "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
      "max_feature_idx=1\nobjective=binary sigmoid:1\nfeature_names=" +
      features + "\nfeature_infos=[0:9] [0:9]\n";
  const auto tree = [](int number, int feature) {
    return "Tree=" + std::to_string(number) +
           "\nnum_leaves=2\nnum_cat=0\nsplit_feature=" + std::to_string(feature) +
           "\nsplit_gain=1\nthreshold=5.5\ndecision_type=2\nleft_child=-1\nright_child=-2\n"
           "leaf_value=-2 1\nleaf_weight=1 1\nleaf_count=1 1\ninternal_value=0\n"
           "internal_weight=0\ninternal_count=2\nis_linear=0\nshrinkage=1\n\n\n";
  };
  const std::string first = tree(0, 0), second = tree(1, 1);
  return head + "tree_sizes=" + std::to_string(first.size()) + " " + std::to_string(second.size()) +
         "\n\n" + first + second + "end of trees\n\nfeature_importances:\na=1\nb=1\n";
}

void write(const Path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir =
        Path(::testing::TempDir()) /
        ("bundle_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) +
         std::to_string(::getpid()));
    std::filesystem::remove_all(dir);
    std::filesystem::create_directories(dir);
    write(dir / "fraud.txt", model_text("b a"));
    write(dir / "policy.yaml", "name: test-policy\n");
    write(dir / "reasons.yaml",
          "features:\n  a: {code: SIZE, text: \"A is {value}\"}\n"
          "  elsewhere: {code: OTHER, text: \"of another spec\"}\n");
    manifest =
        "format: 1\nname: test\nversion: \"3\"\nspec: {fingerprint: abc}\n"
        "models:\n  fraud:\n    name: f\n    version: \"3\"\n    file: fraud.txt\n"
        "    sha256: " +
        sha256_hex(model_text("b a")) +
        "\n    features: [b, a]\n"
        "thresholds: {review: 0.2, block: 0.8}\n"
        "policy: {file: policy.yaml}\nreasons: {file: reasons.yaml}\n"
        "baseline: {a: 1.5, b: .nan}\ntraining: {rows: 5, anything: {goes: here}}\n";
  }
  void TearDown() override { std::filesystem::remove_all(dir); }

  Bundle load() {
    write(dir / "manifest.yaml", manifest);
    return load_bundle(dir, plan, "abc");
  }
  /// The error's text once `from` stands as `to` in the manifest.
  std::string error_with(const std::string& from, const std::string& to) {
    manifest = replaced(manifest, from, to);
    try {
      (void)load();
    } catch (const UsageError& error) {
      const std::string text = error.what();
      EXPECT_EQ(text.find('\n'), std::string::npos) << "one line";
      EXPECT_NE(text.find(dir.string()), std::string::npos) << text;
      return text;
    }
    return "accepted";
  }

  Path dir;
  std::string manifest;
  std::vector<std::string> plan = {"a", "b", "c"};
};

ReleaseParts parts(const std::string& spec, const std::string& engine) {
  ReleaseParts all;
  all.spec_fingerprint = spec;
  all.spec_text = "spec: x";
  all.engine_version = engine;
  return all;
}

TEST_F(BundleTest, BindsByName) {
  const Bundle bundle = load();
  EXPECT_EQ(bundle.name, "test");
  EXPECT_EQ(bundle.version, "3");
  EXPECT_EQ(bundle.fraud_columns, (std::vector<std::int32_t>{1, 0}));
  EXPECT_FALSE(bundle.has_credit());
  EXPECT_EQ(bundle.review_threshold, 0.2);
  EXPECT_EQ(bundle.block_threshold, 0.8);
  EXPECT_EQ(bundle.baseline[0], 1.5F);
  EXPECT_TRUE(std::isnan(bundle.baseline[1]));
  EXPECT_TRUE(std::isnan(bundle.baseline[2]))
      << "a column that no model uses needs no typical value";
  EXPECT_EQ(bundle.reasons.codes[bundle.reasons.column_codes[0]], "SIZE");
  EXPECT_EQ(bundle.reasons.codes[bundle.reasons.column_codes[2]], "C");
  EXPECT_NO_THROW(Policy(bundle, plan));
}

TEST_F(BundleTest, ReferencesStartFromTheBaseline) {
  manifest = replaced(manifest, "training:", "references: [{a: 2}, {b: 3, c: 4}]\ntraining:");
  const Bundle bundle = load();
  ASSERT_EQ(bundle.references.size(), 2 * plan.size());
  const std::size_t second = plan.size();
  EXPECT_EQ(bundle.references[0], 2.0F);
  EXPECT_TRUE(std::isnan(bundle.references[1]));
  EXPECT_EQ(bundle.references[second], 1.5F);
  EXPECT_EQ(bundle.references[second + 1], 3.0F);
  EXPECT_EQ(bundle.references[second + 2], 4.0F);
  EXPECT_NO_THROW(Policy(bundle, plan));
  EXPECT_NE(make_release(bundle, parts("abc", "0.1.0"))
                .document.find(R"("references":[[2,null,null],[1.5,3,4]])"),
            std::string::npos);
}

TEST_F(BundleTest, WhatDoesNotFitIsNamed) {
  struct Case {
    std::string from, to, says;
  };
  const std::vector<Case> cases = {
      {"fingerprint: abc", "fingerprint: abd", "trained on feature spec abd"},
      {"version: \"3\"\nspec", "spec", "version: this setting is required"},
      {"features: [b, a]", "features: [a, b]", "feature 0 is 'a', in the model 'b'"},
      {"features: [b, a]", "features: [b]", "lists 1 features, the model has 2"},
      {"features: [b, a]", "featurs: [b, a]", "lists 0 features"},
      {"sha256: ", "sha256: 0", "has SHA-256"},
      {"file: fraud.txt", "file: frauds.txt", "there is no file"},
      {"file: policy.yaml", "file: nothing.yaml", "there is no file"},
      {"review: 0.2", "review: 0.9", "must lie between"},
      {"review: 0.2", "review: high", "expected a number"},
      {"review: 0.2", "reviews: 0.2", "thresholds.review: this setting is required"},
      {"a: 1.5", "d: 1.5", "baseline.d: is not in the feature spec"},
      {"a: 1.5, ", "", "feature 'a' of a model has no typical value"},
      {"a: 1.5", "a: big", "expected a number or .nan"},
      {"training:", "references: [3]\ntraining:", "references: expected a mapping"},
      {"training:", "references: [{d: 3}]\ntraining:", "references.d: is not in the feature"},
      {"training:", "trained:", "unknown setting 'trained'"},
      {"format: 1", "format: 2", "outside 1 to 1"},
      {"name: test", "name: test\nname: again", "manifest.yaml:3:1: name: stands twice"},
      {"review: 0.2", "review: 0.2, review: 0.1", "thresholds.review: stands twice"},
      {"block: 0.8", "block: .inf", "thresholds.block: expected a number"},
      {"a: 1.5", "a: .inf", "baseline.a: is beyond what a feature can hold"},
      {"a: 1.5", "a: 1e39", "baseline.a: is beyond what a feature can hold"},
      {"name: test", "name: caf\xe9", "manifest.yaml:2: invalid UTF-8 at byte 19"},
      {"training:", "---\ntraining:", "a second document"},
      {"models:", "models: {}\nmodel:", "models.fraud.file: this setting is required"},
  };
  const std::string good = manifest;
  for (const Case& c : cases) {
    manifest = good;
    const std::string error = error_with(c.from, c.to);
    EXPECT_NE(error.find(c.says), std::string::npos) << c.from << " -> " << c.to << ": " << error;
  }
}

TEST_F(BundleTest, ErrorsNameTheLine) {
  EXPECT_NE(error_with("review: 0.2", "review: high").find("manifest.yaml:12:"), std::string::npos);
}

TEST_F(BundleTest, AFeatureThatThePlanLacksIsNamed) {
  plan = {"b", "c", "d"};
  const std::string error = error_with("name: test", "name: test");
  EXPECT_NE(error.find("feature 'a' is not in the feature spec"), std::string::npos) << error;
}

TEST_F(BundleTest, MissingFolderAndManifest) {
  EXPECT_THROW(load_bundle(dir / "nowhere", plan, "abc"), UsageError);
  EXPECT_THROW(load_bundle(dir, plan, "abc"), UsageError);
}

TEST_F(BundleTest, AnyFitsEverySpec) {
  manifest = replaced(manifest, "fingerprint: abc", "fingerprint: any");
  EXPECT_EQ(load().fingerprint, "any");
}

TEST_F(BundleTest, ModelsThatGiveNoProbabilityAreRefused) {
  const std::string text = replaced(model_text("b a"), "binary sigmoid:1", "regression");
  write(dir / "fraud.txt", text);
  manifest = replaced(manifest, sha256_hex(model_text("b a")), sha256_hex(text));
  EXPECT_NE(error_with("name: test", "name: test").find("gives no probability"), std::string::npos);
}

TEST_F(BundleTest, PolicyAndReasonsAreStrictToo) {
  write(dir / "policy.yaml", "name: p\nlimit:\n  tiers:\n    - {name: A, score_below: 0.1}\n");
  EXPECT_NE(error_with("name: test", "name: test").find("multiplier"), std::string::npos);
  write(dir / "policy.yaml", "name: p\nlimits: {}\n");
  EXPECT_NE(error_with("name: test", "name: test").find("unknown setting 'limits'"),
            std::string::npos);
  write(dir / "policy.yaml",
        "name: p\nlimit:\n  tiers: [{name: A, score_below: 1, multiplier: 1, price_bps: 1}]\n");
  EXPECT_NE(error_with("name: test", "name: test").find("policy: section 'limit' of the policy"),
            std::string::npos);
  write(dir / "policy.yaml", "name: p\nlimit: {months_max: 6}\n");
  EXPECT_NE(error_with("name: test", "name: test").find("months_max"), std::string::npos)
      << "the cap of five months cannot be configured away";
  write(dir / "policy.yaml", "name: p\n");
  write(dir / "reasons.yaml", "features:\n  a: {code: SEASON, text: x}\n");
  EXPECT_NE(error_with("name: test", "name: test").find("taken by a rule"), std::string::npos);
  write(dir / "reasons.yaml", "features:\n  a: {code: X, text: \"{worth}\"}\n");
  EXPECT_NE(error_with("name: test", "name: test").find("unknown placeholder {worth}"),
            std::string::npos);
}

TEST_F(BundleTest, ReleaseCoversEverythingThatDecides) {
  const Release first = make_release(load(), parts("abc", "0.1.0"));
  EXPECT_EQ(first.fingerprint.size(), 12u);
  EXPECT_TRUE(first.document.starts_with("{\"release\":\"" + first.fingerprint + "\","));
  EXPECT_EQ(make_release(load(), parts("abc", "0.1.0")).fingerprint, first.fingerprint);
  std::set<std::string> seen = {first.fingerprint};
  const auto differs = [&](const Release& release) {
    return seen.insert(release.fingerprint).second;
  };
  EXPECT_TRUE(differs(make_release(load(), parts("abc", "0.1.1"))));
  EXPECT_TRUE(differs(make_release(load(), parts("abd", "0.1.0"))));
  ReleaseParts other = parts("abc", "0.1.0");
  other.zone = "Asia/Shanghai";
  EXPECT_TRUE(differs(make_release(load(), other)));
  other.dedup_horizon_h = 12;
  EXPECT_TRUE(differs(make_release(load(), other)));
  other.sweep_interval_h = 12;
  EXPECT_TRUE(differs(make_release(load(), other)));
  other.future_tolerance_h = 12;
  EXPECT_TRUE(differs(make_release(load(), other)));
  Bundle bundle = load();
  bundle.block_threshold = 0.81;
  EXPECT_TRUE(differs(make_release(bundle, parts("abc", "0.1.0"))));
  bundle = load();
  bundle.models[0].sha256[0] ^= 1;
  EXPECT_TRUE(differs(make_release(bundle, parts("abc", "0.1.0"))));
  bundle = load();
  bundle.baseline[0] = 1.6F;
  EXPECT_TRUE(differs(make_release(bundle, parts("abc", "0.1.0"))));
  bundle = load();
  bundle.references.assign(bundle.baseline.size(), 1.0F);
  EXPECT_TRUE(differs(make_release(bundle, parts("abc", "0.1.0"))));
  write(dir / "policy.yaml", "name: test-policy\n# with a remark\n");
  EXPECT_TRUE(differs(make_release(load(), parts("abc", "0.1.0"))));
  manifest += "rates: {file: rates.csv}\n";
  for (const char* rate : {"7.1", "7.2"}) {
    write(dir / "rates.csv", std::string("as_of,from,to,rate\n2024-01-01,USD,CNY,") + rate + "\n");
    EXPECT_TRUE(differs(make_release(load(), parts("abc", "0.1.0")))) << rate;
  }
  write(dir / "reasons.yaml", "features: {}\n");
  EXPECT_TRUE(differs(make_release(load(), parts("abc", "0.1.0"))));
}

TEST(QuickstartBundle, PolicyAndReasonsLoad) {
  const Path dir = Path(TIDEMARK_SOURCE_DIR) / "examples/quickstart/bundle";
  const PolicyConfig policy = load_policy(dir / "policy.yaml");
  EXPECT_TRUE(policy.limit.enabled);
  EXPECT_TRUE(policy.fall.enabled);
  const std::vector<std::string> names = {"amount", "payment_count_1h", "days_of_history"};
  const ReasonTable table = load_reasons(dir / "reasons.yaml", names);
  EXPECT_EQ(table.codes[table.column_codes[1]], "VELOCITY");
}

TEST(BootstrapBundle, LoadsForAnySpecWithAnAmount) {
  const std::vector<std::string> names = {"x", "amount", "y"};
  const Bundle bundle =
      load_bundle(Path(TIDEMARK_SOURCE_DIR) / "tools/training/bootstrap", names, "whatever");
  const Policy policy(bundle, names);
  EXPECT_FALSE(policy.has_limits());
  EXPECT_FALSE(policy.has_alerts());
}

}  // namespace
}  // namespace tidemark
