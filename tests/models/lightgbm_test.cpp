// The importer against damaged and hostile files: every one is refused with one line that names the
// file, the line and the construct, or it is a forest that the trainer would read the same way.
#include "models/load_forest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "kernels/base/failure.hpp"
#include "kernels/forest/scorer.hpp"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

constexpr const char* tree_0 =
    "Tree=0\nnum_leaves=4\nnum_cat=1\nsplit_feature=0 1 2\nsplit_gain=3 2 1\n"
    "threshold=0.5 0 1.0000000180025095e-35\ndecision_type=2 1 10\nleft_child=1 -1 -3\n"
    "right_child=2 -2 -4\nleaf_value=0.1 -0.2 0.3 1e-320\nleaf_weight=1 1 1 1\nleaf_count=1 1 1 1\n"
    "internal_value=0 0 0\ninternal_weight=0 0 0\ninternal_count=4 2 2\ncat_boundaries=0 2\n"
    "cat_threshold=5 1\nis_linear=0\nshrinkage=0.1\n\n\n";
constexpr const char* tree_1 =
    "Tree=1\nnum_leaves=1\nnum_cat=0\nsplit_feature=\nsplit_gain=\nthreshold=\ndecision_type=\n"
    "left_child=\nright_child=\nleaf_value=0.25\nleaf_weight=\nleaf_count=\ninternal_value=\n"
    "internal_weight=\ninternal_count=\nis_linear=0\nshrinkage=1\n\n\n";

/// A valid model in which `from` has been replaced by `to` once; tree sizes are made to fit.
std::string model(const std::string& from = "", const std::string& to = "") {
  std::string first = tree_0, second = tree_1;
  std::string head =
      "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=2\n"
      "objective=binary sigmoid:1\nfeature_names=amount kind day\n"
      "feature_infos=[0:1] 0:1:2 [0:9]\n";
  std::string tail =
      "end of trees\n\nfeature_importances:\namount=1\nkind=1\nday=1\n\nparameters:\n[boosting: "
      "gbdt]\n\n"
      "end of parameters\n\npandas_categorical:null\n";
  if (!from.empty()) {
    bool found = false;
    for (std::string* part : {&head, &first, &second, &tail}) {
      const std::size_t at = part->find(from);
      if (at == std::string::npos) continue;
      part->replace(at, from.size(), to);
      found = true;
      break;
    }
    EXPECT_TRUE(found) << from;
  }
  std::string sizes = "tree_sizes=";
  sizes.append(std::to_string(first.size())).append(" ").append(std::to_string(second.size()));
  return head + sizes + "\n\n" + first + second + tail;
}

std::string refusal(const std::string& text) {
  try {
    parse_forest(text, "m.txt");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Lightgbm, ReadsWhatIsWritten) {
  const Forest forest = parse_forest(model(), "m.txt");
  EXPECT_EQ(forest.feature_names, (std::vector<std::string>{"amount", "kind", "day"}));
  EXPECT_EQ(forest.link, Link::logistic);
  EXPECT_EQ(forest.objective, "binary sigmoid:1");
  EXPECT_EQ(forest.sha256.size(), 64u);
  ASSERT_EQ(forest.trees.size(), 2u);
  ASSERT_EQ(forest.nodes.size(), 3u);
  EXPECT_EQ(forest.leaf_values, (std::vector<double>{0.1, -0.2, 0.3, 1e-320, 0.25}));
  EXPECT_EQ(forest.nodes[0].threshold, 0.5);
  EXPECT_EQ(forest.nodes[0].missing, MissingKind::none);
  EXPECT_TRUE(forest.nodes[0].default_left);
  EXPECT_TRUE(forest.nodes[1].categorical);
  EXPECT_EQ(forest.nodes[1].category_end - forest.nodes[1].category_begin, 2);
  EXPECT_EQ(forest.nodes[2].missing, MissingKind::nan);
  EXPECT_EQ(forest.nodes[2].left, ~2);
  EXPECT_EQ(forest.trees[1].node_begin, forest.trees[1].node_end);
}

TEST(Lightgbm, KnowsTheHashOfTheBytes) {
  const Forest forest = parse_forest(model(), "m.txt");
  const Forest other = parse_forest(model("0.25", "0.26"), "m.txt");
  EXPECT_NE(forest.sha256, other.sha256);
  EXPECT_EQ(forest.sha256.find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(Lightgbm, RefusalsNameLineAndConstruct) {
  struct Damage {
    const char *from, *to, *line, *construct;
  };
  const Damage damages[] = {
      {"tree\nversion", "forest\nversion", "m.txt:1:", "not a LightGBM"},
      {"version=v4", "version=v9", "m.txt:2:", "version 'v9'"},
      {"num_class=1", "num_class=0", "m.txt:3:", "num_class"},
      {"num_class=1", "num_class=99999999999", "m.txt:3:", "num_class"},
      {"num_class=1", "num_class=2", "m.txt:4:", "num_tree_per_iteration: 1"},
      {"label_index=0", "surprise=0", "m.txt:5:", "surprise"},
      {"label_index=0", "", "", "'label_index' is missing"},
      {"feature_infos=[0:1] 0:1:2 [0:9]", "", "", "'feature_infos' is missing"},
      {"binary sigmoid:1", "binary", "m.txt:7:", "without its sigmoid"},
      {"binary sigmoid:1", "cross_entropy sigmoid:1", "m.txt:7:", "sigmoid:1"},
      {"max_feature_idx=2", "max_feature_idx=2000000000", "m.txt:8:", "feature_names"},
      {"sigmoid:1", "sigmoid:nan", "m.txt:7:", "sigmoid"},
      {"binary sigmoid:1", "binary wild:1", "m.txt:7:", "wild:1"},
      {"binary sigmoid:1", "quadratic", "m.txt:7:", "quadratic"},
      {"num_leaves=4", "num_leaves=2147483647", "m.txt:21:", "leaf_value"},
      {"num_leaves=4", "num_leaves=-1", "m.txt:13:", "num_leaves"},
      {"split_feature=0 1 2", "split_feature=0 1 3", "m.txt:15:", "split_feature"},
      {"threshold=0.5", "threshold=nan", "m.txt:17:", "threshold"},
      {"threshold=0.5 0", "threshold=0.5 7", "m.txt:17:", "category set"},
      {"threshold=0.5", "threshold=1e999", "m.txt:17:", "threshold"},
      {"decision_type=2", "decision_type=12", "m.txt:18:", "decision_type"},
      {"left_child=1 ", "left_child=0 ", "m.txt:19:", "reached twice"},
      {"left_child=1 ", "left_child=3 ", "m.txt:19:", "out of range"},
      {"left_child=1 -1", "left_child=1 -5", "m.txt:19:", "out of range"},
      {"left_child=1 -1", "left_child=1 -2", "m.txt:19:", "reached twice"},
      {"leaf_value=0.1 -0.2", "leaf_value=0.1 inf", "m.txt:21:", "leaf_value"},
      {"leaf_value=0.1 -0.2", "leaf_value=0.1 0.1x", "m.txt:21:", "leaf_value"},
      {"leaf_value=0.1 -0.2", "leaf_value=0.1", "m.txt:21:", "3 values where 4"},
      {"split_gain=3 2 1", "split_gain=3 2n 1", "m.txt:16:", "split_gain: '2n'"},
      {"split_gain=3 2 1", "split_gain=3 2", "m.txt:16:", "2 values where 3"},
      {"leaf_weight=1 1 1 1", "leaf_weight=1 1 11", "m.txt:22:", "3 values where 4"},
      {"internal_count=4 2 2", "internal_count=4 2.2 )", "m.txt:26:", "internal_count: ')'"},
      {"cat_boundaries=0 2", "cat_boundaries=0 99", "m.txt:28:", "cat_threshold"},
      {"cat_boundaries=0 2", "cat_boundaries=2 0", "m.txt:27:", "cat_boundaries"},
      {"is_linear=0", "is_linear=1", "m.txt:29:", "linear_tree"},
      {"is_linear=0", "leaf_const=0 0 0 0", "m.txt:29:", "linear_tree"},
      {"shrinkage=0.1", "shrinkage=0.1\nshrinkage=1", "m.txt:31:", "twice"},
      {"Tree=1", "Tree=7", "", "Tree"},
      {"end of trees", "end of tree", "", "end of tree"},
      {"end of parameters", "", "", "end of parameters"},
      {"[boosting: gbdt]", "[linear_tree: 1]", "", "linear_tree"},
      {"kind", "ki\xff", "m.txt:8:", "UTF-8"},
  };
  for (const Damage& damage : damages) {
    const std::string said = refusal(model(damage.from, damage.to));
    EXPECT_THAT(said, HasSubstr(damage.line)) << damage.to;
    EXPECT_THAT(said, HasSubstr(damage.construct)) << damage.to;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  }
}

TEST(Lightgbm, TreesMustStandWhereTheSizesSay) {
  std::string text = model();
  const std::size_t at = text.find("Tree=1");
  text.insert(at, 1, '\n');
  EXPECT_THAT(refusal(text), HasSubstr("tree_sizes"));
}

TEST(Lightgbm, EveryCutIsRefusedUnlessItFallsBetweenSections) {
  const std::string text = model();
  const std::string last = "end of parameters";
  const std::size_t end = text.find(last) + last.size();
  const std::size_t trees = text.find("end of trees") + 12;
  const std::size_t importances = text.find("\nparameters:");
  for (std::size_t size = 0; size < end; ++size) {
    const bool between = (size >= trees && size <= trees + 2) ||
                         (size >= importances - 2 && size <= importances + 1);
    EXPECT_EQ(refusal(text.substr(0, size)) == "accepted", between) << size;
  }
  EXPECT_EQ(refusal(text), "accepted");
}

TEST(Lightgbm, WhatFollowsTheTreesMayBeLeftOut) {
  const std::string text = model();
  const std::size_t trees_end = text.find("\nfeature_importances:");
  EXPECT_EQ(refusal(text.substr(0, trees_end)), "accepted");
  EXPECT_EQ(refusal(text.substr(0, text.find("\nparameters:"))), "accepted");
}

TEST(Lightgbm, WhatScoringDoesNotUseMayBeAnyNumber) {
  EXPECT_EQ(refusal(model("split_gain=3 2 1", "split_gain=inf -nan 1e999")), "accepted");
  EXPECT_EQ(refusal(model("leaf_weight=1 1 1 1", "leaf_weight=")), "accepted");
}

TEST(Lightgbm, ReadsTheFirstV3Files) {
  // Version 2.3 of the trainer wrote v3 with a space in this heading and without is_linear.
  std::string text = model("feature_importances:", "feature importances:");
  text.replace(text.find("version=v4"), 10, "version=v3");
  EXPECT_EQ(refusal(text), "accepted");
}

RC_GTEST_PROP(Lightgbm, DamageIsRefusedOrHarmless, (std::uint64_t seed)) {
  std::mt19937_64 random(seed);
  std::string text = model();
  for (int i = 0; i < 3; ++i) {
    const char* odd = "0123456789-. =\n\0\xff";
    text[random() % text.size()] = random() % 2 ? odd[random() % 17] : static_cast<char>(random());
  }
  try {
    const Forest forest = parse_forest(text, "m.txt");
    const std::vector<std::int32_t> columns = {0, 1, 2};
    if (forest.feature_names.size() != 3) return;
    const auto scorer = make_forest_scorer(forest, columns, Backend::cpu);
    ThreadPool pool(1);
    std::vector<float> rows(3 * 40, 0.5f);
    std::vector<double> out(40 * static_cast<std::size_t>(forest.outputs));
    scorer->score({rows.data(), 40, 3, 3}, out, pool);
  } catch (const UsageError& error) {
    RC_ASSERT(std::string(error.what()).find('\n') == std::string::npos);
  }
}

}  // namespace
}  // namespace tidemark
