// Random forests of every shape, rows on and beside their cuts, and the right answers, found by a
// walker too plain to be wrong: double, one node at a time, as trainers read. For the conformance
// suite; nothing of kernels/forest is in it.
#pragma once

#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/data/forest.hpp"

namespace tidemark::forest_cases {

inline constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
inline constexpr float infinity = std::numeric_limits<float>::infinity();

inline bool obvious_left(const Forest& forest, const ForestNode& node, float value) {
  if (node.categorical) {
    if (std::isnan(value)) return node.strict && node.default_left;
    if (value >= 2147483648.0f || value <= -2147483648.0f) return false;
    if (node.strict && value < 0) return false;
    const auto category = static_cast<std::int64_t>(value);
    if (category < 0 || category / 32 >= node.category_end - node.category_begin) return false;
    const auto word = static_cast<std::size_t>(node.category_begin + category / 32);
    return (forest.category_words[word] >> (category % 32)) & 1;
  }
  if (node.strict) {
    return std::isnan(value) ? node.default_left : value < static_cast<float>(node.threshold);
  }
  double x = value;
  if (std::fabs(x) <= 1e-35f) x = 0;
  if (std::isnan(x) && node.missing != MissingKind::nan) x = 0;
  if (node.missing == MissingKind::zero && std::fabs(x) <= 1e-35f) return node.default_left;
  if (std::isnan(x)) return node.default_left;
  return x <= node.threshold;
}

inline std::int32_t obvious_leaf(const Forest& forest, const ForestTree& tree, const float* row,
                                 const std::vector<std::int32_t>& columns) {
  std::int32_t at = tree.node_begin == tree.node_end ? ~0 : 0;
  while (at >= 0) {
    const ForestNode& node = forest.nodes[static_cast<std::size_t>(tree.node_begin + at)];
    const float value = row[columns[static_cast<std::size_t>(node.feature)]];
    at = obvious_left(forest, node, value) ? node.left : node.right;
  }
  return ~at;
}

/// What a random forest looks like.
struct Shape {
  std::string name;
  int trees = 10, leaves = 32, depth = 8, features = 12, outputs = 1;
  int distinct_cuts = 60;  // of a feature
  bool chain = false;      // leaf-wise growth at its worst: one path
  int categorical_percent = 0;
  bool strict = false;  // XGBoost's tests and sums
  std::vector<MissingKind> missing{MissingKind::none, MissingKind::zero, MissingKind::nan};
  std::size_t rows = 700;
};

class ForestMaker {
 public:
  ForestMaker(const Shape& shape, unsigned seed) : shape_(shape), random_(seed) {}

  Forest make() {
    forest_.outputs = shape_.outputs;
    for (int f = 0; f < shape_.features; ++f) {
      forest_.feature_names.push_back("f" + std::to_string(f));
      cuts_.emplace_back();
      for (int c = 0; c < shape_.distinct_cuts; ++c) cuts_.back().push_back(make_cut());
    }
    for (int t = 0; t < shape_.trees; ++t) add_tree(t);
    if (shape_.strict) {
      forest_.sum = SumKind::float32;
      for (double& value : forest_.leaf_values) value = static_cast<float>(value);
      for (int o = 0; o < shape_.outputs; ++o)
        forest_.base.push_back(0.25f * static_cast<float>(o) - 0.3f);
    }
    return forest_;
  }

  /// Values where mistakes show: on every cut, one float beside it, and the odd ones.
  float value_for(std::size_t feature) {
    static constexpr float odd[] = {nan_value, infinity, -infinity, 0.0f,    -0.0f, 1e-35f,
                                    -1e-35f,   1e-36f,   1e-40f,    3.4e38f, -1.5f, 300.0f};
    if (random_() % 8 == 0) return odd[random_() % std::size(odd)];
    const auto& cuts = cuts_[feature];
    const auto near = static_cast<float>(cuts[random_() % cuts.size()]);
    switch (random_() % 4) {
      case 0:
        return std::nextafter(near, infinity);
      case 1:
        return std::nextafter(near, -infinity);
      case 2:
        return static_cast<float>(random_() % 70) - 1.0f;  // categories
      default:
        return near;
    }
  }

  std::mt19937& random() { return random_; }

 private:
  double make_cut() {
    switch (random_() % 12) {
      case 0:
        return 0.0;
      case 1:
        return 1e-35;
      case 2:
        return -5e-36;
      case 3:
        return 1e-300;
      case 4:
        return 0.1;  // between two floats
      default:
        return (static_cast<double>(random_() % 200000) - 100000) / 777.0;
    }
  }

  ForestNode make_node() {
    ForestNode node;
    node.feature = static_cast<std::int32_t>(random_() % static_cast<unsigned>(shape_.features));
    if (static_cast<int>(random_() % 100) < shape_.categorical_percent) {
      node.categorical = true;
      node.strict = shape_.strict;
      node.default_left = random_() % 2 == 0;
      node.category_begin = static_cast<std::int32_t>(forest_.category_words.size());
      for (unsigned w = random_() % 3; w > 0; --w) forest_.category_words.push_back(random_());
      node.category_end = static_cast<std::int32_t>(forest_.category_words.size());
      return node;
    }
    const auto& cuts = cuts_[static_cast<std::size_t>(node.feature)];
    node.threshold = cuts[random_() % cuts.size()];
    node.missing = shape_.missing[random_() % shape_.missing.size()];
    node.default_left = random_() % 2 == 0;
    if (shape_.strict) {
      node.strict = true;
      node.missing = MissingKind::nan;
      node.threshold = static_cast<float>(node.threshold);
    }
    return node;
  }

  void add_tree(int t) {
    ForestTree tree;
    tree.node_begin = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_begin = static_cast<std::int32_t>(forest_.leaf_values.size());
    tree.output = t % shape_.outputs;
    struct Open {
      std::int32_t node;  // of the tree, -1 = the root itself
      bool left;
      int depth;
    };
    std::vector<Open> open{{-1, true, 0}};
    int leaves = 1;
    // A tree now and then is a single leaf, as trainers write when no split helps.
    while (leaves < shape_.leaves && !open.empty() && t % 7 != 6) {
      const std::size_t pick = shape_.chain ? open.size() - 1 : random_() % open.size();
      if (open[pick].depth >= shape_.depth) {
        // Full depth: this place stays a leaf; another one is split.
        closed_.push_back({open[pick].node, open[pick].left});
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
        continue;
      }
      const Open at = open[pick];
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
      const auto number = static_cast<std::int32_t>(forest_.nodes.size()) - tree.node_begin;
      forest_.nodes.push_back(make_node());
      link(tree, at.node, at.left, number);
      open.push_back({number, true, at.depth + 1});
      open.push_back({number, false, at.depth + 1});
      ++leaves;
    }
    for (const Open& at : open) closed_.push_back({at.node, at.left});
    for (const auto& [node, left] : closed_) {
      const auto leaf = static_cast<std::int32_t>(forest_.leaf_values.size()) - tree.leaf_begin;
      forest_.leaf_values.push_back((static_cast<double>(random_()) - 2e9) * 1e-10 / 3.0);
      link(tree, node, left, ~leaf);
    }
    closed_.clear();
    tree.node_end = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_end = static_cast<std::int32_t>(forest_.leaf_values.size());
    forest_.trees.push_back(tree);
  }

  void link(const ForestTree& tree, std::int32_t parent, bool left, std::int32_t child) {
    if (parent < 0) return;
    ForestNode& node = forest_.nodes[static_cast<std::size_t>(tree.node_begin + parent)];
    (left ? node.left : node.right) = child;
  }

  const Shape& shape_;
  std::mt19937 random_;
  Forest forest_;
  std::vector<std::vector<double>> cuts_;
  std::vector<std::pair<std::int32_t, bool>> closed_;
};

/// A forest, rows for it (with a column that the model does not read), and the right answers.
struct Case {
  Forest forest;
  std::vector<std::int32_t> columns;
  std::vector<float> rows;
  std::size_t stride = 0, count = 0;
  std::vector<double> scores;
  std::vector<std::int32_t> leaves;

  Case(const Shape& shape, unsigned seed) {
    ForestMaker maker(shape, seed);
    forest = maker.make();
    const auto features = static_cast<std::size_t>(shape.features);
    stride = features + 1;
    for (std::size_t f = 0; f < features; ++f) {
      columns.push_back(static_cast<std::int32_t>(features - f));
    }
    count = shape.rows;
    rows.assign(count * stride, nan_value);
    for (std::size_t r = 0; r < count; ++r) {
      for (std::size_t f = 0; f < features && r != 3; ++f) {  // row 3 is all NaN
        rows[r * stride + static_cast<std::size_t>(columns[f])] = maker.value_for(f);
      }
    }
    const auto outputs = static_cast<std::size_t>(forest.outputs);
    scores.assign(count * outputs, 0);
    for (std::size_t r = 0; r < count; ++r) {
      double* const sums = &scores[r * outputs];
      for (std::size_t o = 0; o < forest.base.size(); ++o) sums[o] = forest.base[o];
      for (const ForestTree& tree : forest.trees) {
        const std::int32_t leaf = obvious_leaf(forest, tree, &rows[r * stride], columns);
        leaves.push_back(leaf);
        const double value = forest.leaf_values[static_cast<std::size_t>(tree.leaf_begin + leaf)];
        if (shape.strict) {
          sums[tree.output] = static_cast<float>(sums[tree.output]) + static_cast<float>(value);
        } else {
          sums[tree.output] += value;
        }
      }
    }
  }

  FeatureMatrixView view(std::size_t first, std::size_t n) const {
    return {rows.data() + first * stride, n, stride, stride};
  }
};

inline Shape shape_of(const char* name) {
  Shape shape;
  shape.name = name;
  return shape;
}

}  // namespace tidemark::forest_cases
