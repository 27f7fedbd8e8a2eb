// Scorecards and logistic regressions from YAML: see the header and docs/models.md. Used at load by
// one thread.
#include "models/scorecard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/strict_yaml.hpp"

namespace tidemark {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::size_t bins_max = 1000;  // of a characteristic
constexpr std::uint32_t category_max = 1 << 20;

/// Points into log odds of the bad outcome: the more points, the better.
struct Scale {
  double points = 0, odds = 1, doubling = 1;
  double of_difference(double more_points) const { return -more_points * std::log(2.0) / doubling; }
};

/// One characteristic as a tree. Children are numbered as they are added; the first node or leaf
/// that is added to an empty tree is the root.
class TreeBuilder {
 public:
  TreeBuilder(Forest& forest, std::int32_t feature) : forest_(forest), feature_(feature) {
    tree_.node_begin = static_cast<std::int32_t>(forest.nodes.size());
    tree_.leaf_begin = static_cast<std::int32_t>(forest.leaf_values.size());
  }

  std::int32_t leaf(double value) {
    forest_.leaf_values.push_back(value);
    return ~(static_cast<std::int32_t>(forest_.leaf_values.size()) - 1 - tree_.leaf_begin);
  }

  /// Room for a node whose children come after it.
  std::int32_t node() {
    forest_.nodes.emplace_back();
    forest_.nodes.back().feature = feature_;
    return static_cast<std::int32_t>(forest_.nodes.size()) - 1 - tree_.node_begin;
  }
  ForestNode& at(std::int32_t node) {
    return forest_.nodes[static_cast<std::size_t>(tree_.node_begin + node)];
  }

  void done() {
    tree_.node_end = static_cast<std::int32_t>(forest_.nodes.size());
    tree_.leaf_end = static_cast<std::int32_t>(forest_.leaf_values.size());
    forest_.trees.push_back(tree_);
  }

 private:
  Forest& forest_;
  const std::int32_t feature_;
  ForestTree tree_;
};

struct Bin {
  float below = infinity;
  double value = 0;
};

/// Halves of bins [begin, end), so that the tree is as flat as can be.
std::int32_t add_bins(TreeBuilder& tree, const std::vector<Bin>& bins, std::size_t begin,
                      std::size_t end) {
  if (end - begin == 1) return tree.leaf(bins[begin].value);
  const std::size_t middle = begin + (end - begin) / 2;
  const std::int32_t node = tree.node();
  const std::int32_t left = add_bins(tree, bins, begin, middle);
  const std::int32_t right = add_bins(tree, bins, middle, end);
  ForestNode& to = tree.at(node);
  to.strict = true;
  to.missing = MissingKind::nan;
  to.threshold = static_cast<double>(bins[middle - 1].below);
  to.left = left;
  to.right = right;
  return node;
}

class ScorecardReader {
 public:
  explicit ScorecardReader(YamlMap& root) : card_(root.map("scorecard")) {}

  Forest run() {
    forest_.format = "scorecard";
    forest_.objective = "scorecard";
    forest_.link = Link::logistic;
    read_scale();
    YamlMap characteristics = card_.map("characteristics");
    for (const std::string& feature : characteristics.keys()) {
      forest_.feature_names.push_back(feature);
      YamlMap characteristic = characteristics.map(feature);
      read_characteristic(characteristic);
      characteristic.done();
    }
    if (forest_.trees.empty()) card_.fail("characteristics", "at least one is required");
    characteristics.done();
    card_.done();
    return std::move(forest_);
  }

 private:
  /// What `points` stand for: `odds` good to one bad, and `double` more points twice that.
  void read_scale() {
    YamlMap scale = card_.map("scale");
    scale_.points = scale.number("points");
    scale_.odds = scale.number("odds");
    scale_.doubling = scale.number("double");
    if (!(scale_.odds > 0)) scale.fail("odds", "must be positive");
    if (!(scale_.doubling > 0)) scale.fail("double", "must be positive");
    scale.done();
    const double base = card_.number("base");
    forest_.base = {scale_.of_difference(base - scale_.points) - std::log(scale_.odds)};
  }

  void read_characteristic(YamlMap& map) {
    const auto feature = static_cast<std::int32_t>(forest_.feature_names.size()) - 1;
    TreeBuilder tree(forest_, feature);
    // Present values go left whatever they are; the missing ones have points of their own.
    const std::int32_t root = tree.node();
    const bool categories = map.has("categories");
    if (categories == map.has("bins")) map.fail("bins", "either bins or categories are required");
    std::int32_t present = 0;
    if (categories) {
      present = add_categories(map, tree);
    } else {
      const std::vector<Bin> bins = read_bins(map);
      present = add_bins(tree, bins, 0, bins.size());
    }
    const std::int32_t missing = tree.leaf(points(map, "missing"));
    ForestNode& to = tree.at(root);
    to.threshold = std::numeric_limits<double>::infinity();
    to.missing = MissingKind::nan;
    to.left = present;
    to.right = missing;
    tree.done();
  }

  double points(YamlMap& map, const std::string& key) {
    return scale_.of_difference(map.number(key));
  }

  [[noreturn]] void fail_at(const YAML::Node& where, const std::string& what) const {
    YamlMap::fail_at(card_.origin(), where, what);
  }

  double number_at(const YAML::Node& node, const char* what) const {
    double value = 0;
    if (!node.IsScalar() || !YAML::convert<double>::decode(node, value) || std::isnan(value)) {
      fail_at(node, std::string(what) + ": expected a number");
    }
    return value;
  }

  double points_at(const YAML::Node& node) const {
    const double value = number_at(node, "points");
    if (!std::isfinite(value)) fail_at(node, "points: must be finite");
    return scale_.of_difference(value);
  }

  /// [upper edge, points] in ascending order, the last edge .inf: a value belongs to the first bin
  /// that it is below.
  std::vector<Bin> read_bins(YamlMap& map) {
    std::vector<Bin> bins;
    for (const YAML::Node& node : map.list("bins")) {
      if (!node.IsSequence() || node.size() != 2) fail_at(node, "bins: expected [edge, points]");
      const auto below = static_cast<float>(number_at(node[0], "edge"));
      if (below == -infinity) fail_at(node, "bins: nothing is below -.inf");
      if (!bins.empty() && !(below > bins.back().below)) {
        fail_at(node, "bins: edges must rise, as float32 too");
      }
      bins.push_back({below, points_at(node[1])});
    }
    if (bins.empty()) map.fail("bins", "at least one bin is required");
    if (bins.size() > bins_max) map.fail("bins", "more than 1000 bins");
    if (bins.back().below != infinity) map.fail("bins", "the last edge must be .inf");
    // Nothing is below the last edge's infinity but infinity itself, which belongs there too: the
    // last bin is whatever no other took.
    return bins;
  }

  /// [[codes], points] and `other` for all that is in none.
  std::int32_t add_categories(YamlMap& map, TreeBuilder& tree) {
    std::vector<std::int32_t> nodes;
    std::set<std::uint32_t> seen;
    for (const YAML::Node& node : map.list("categories")) {
      if (!node.IsSequence() || node.size() != 2 || !node[0].IsSequence()) {
        fail_at(node, "categories: expected [[codes], points]");
      }
      const std::int32_t at = tree.node();
      const auto begin = static_cast<std::int32_t>(forest_.category_words.size());
      for (const YAML::Node& item : node[0]) add_category(item, seen, begin);
      const std::int32_t leaf = tree.leaf(points_at(node[1]));
      ForestNode& to = tree.at(at);
      to.strict = to.categorical = true;
      to.category_begin = begin;
      to.category_end = static_cast<std::int32_t>(forest_.category_words.size());
      to.left = leaf;
      nodes.push_back(at);
    }
    if (nodes.empty()) map.fail("categories", "at least one list is required");
    if (nodes.size() > bins_max) map.fail("categories", "more than 1000 lists");
    const std::int32_t other = tree.leaf(points(map, "other"));
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      tree.at(nodes[i]).right = i + 1 < nodes.size() ? nodes[i + 1] : other;
    }
    return nodes.front();
  }

  void add_category(const YAML::Node& item, std::set<std::uint32_t>& seen, std::int32_t begin) {
    const double code = number_at(item, "category");
    if (!(code >= 0 && code < category_max) || code != std::floor(code)) {
      fail_at(item, "categories: a code must be an integer in [0, 1048576)");
    }
    const auto category = static_cast<std::uint32_t>(code);
    if (!seen.insert(category).second) {
      fail_at(item, fmt::format("categories: {} stands twice", category));
    }
    const std::size_t word = static_cast<std::size_t>(begin) + category / 32;
    if (word >= forest_.category_words.size()) forest_.category_words.resize(word + 1);
    forest_.category_words[word] |= 1u << (category % 32);
  }

  YamlMap card_;
  Forest forest_;
  Scale scale_;
};

/// intercept + sum of coefficient x value; a missing value is replaced by `missing`.
Forest read_logistic(YamlMap& root) {
  YamlMap model = root.map("logistic");
  Forest forest;
  forest.format = "logistic";
  forest.objective = "logistic";
  forest.link = Link::logistic;
  forest.base = {model.number("intercept")};
  YamlMap features = model.map("features");
  for (const std::string& name : features.keys()) {
    YamlMap entry = features.map(name);
    LinearTerm term;
    term.feature = static_cast<std::int32_t>(forest.feature_names.size());
    term.coefficient = entry.number("coefficient");
    term.missing_as = static_cast<float>(entry.number("missing"));
    if (!std::isfinite(term.missing_as)) entry.fail("missing", "is beyond float32");
    entry.done();
    forest.feature_names.push_back(name);
    forest.linear.push_back(term);
  }
  if (forest.linear.empty()) model.fail("features", "at least one is required");
  features.done();
  model.done();
  return forest;
}

}  // namespace

bool looks_like_scorecard(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with("scorecard:") || line.starts_with("logistic:")) return true;
    const bool passes = line.empty() || line.starts_with('#') || line == "---" || line == "\r";
    if (!passes) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

Forest parse_scorecard(std::string_view text, std::string_view name) {
  YamlMap root(parse_yaml(std::string(text), std::string(name)), std::string(name));
  Forest forest = root.has("logistic") ? read_logistic(root) : ScorecardReader(root).run();
  root.done();
  return forest;
}

}  // namespace tidemark
