// Random forests and rows for tests: any shape, every kind of node, and values that stand on a cut
// or one ulp beside it. The same seed gives the same forest.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/data/forest.hpp"

namespace tidemark {

struct ForestShape {
  int trees = 1;
  int leaves_max = 8;
  int features = 4;
  int outputs = 1;
  double chain = 0.3;        // chance that a split leaves one side a single leaf
  double categorical = 0.1;  // share of categorical nodes
};

inline double random_cut(std::mt19937_64& random) {
  static const double odd[] = {0.0,
                               -0.0,
                               1e-35,
                               -1e-35,
                               9.9e-36,
                               1.1e-35,
                               1e-45,
                               -1e-40,
                               1e300,
                               -1e300,
                               3.5e38,
                               0.1,
                               -0.3,
                               1e-300,
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity()};
  if (random() % 8 == 0) return odd[random() % std::size(odd)];
  const double value = std::normal_distribution<double>(0, 1)(random);
  if (random() % 3 == 0) return static_cast<double>(static_cast<float>(value));
  return value;
}

class RandomTree {
 public:
  RandomTree(std::mt19937_64& random, const ForestShape& shape, Forest& forest)
      : random_(random), shape_(shape), forest_(forest) {}

  void add(int output) {
    ForestTree tree;
    tree.output = output;
    tree.node_begin = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_begin = static_cast<std::int32_t>(forest_.leaf_values.size());
    const int leaves = 1 + static_cast<int>(random_() % static_cast<unsigned>(shape_.leaves_max));
    // Leaf numbers do not follow the order of the tree, as in a leaf-wise trainer.
    numbers_.resize(static_cast<std::size_t>(leaves));
    for (int i = 0; i < leaves; ++i) numbers_[static_cast<std::size_t>(i)] = i;
    std::shuffle(numbers_.begin(), numbers_.end(), random_);
    node_begin_ = tree.node_begin;
    grow(leaves);
    for (int i = 0; i < leaves; ++i) {
      forest_.leaf_values.push_back(std::normal_distribution<double>(0, 1)(random_));
    }
    tree.node_end = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_end = static_cast<std::int32_t>(forest_.leaf_values.size());
    forest_.trees.push_back(tree);
  }

 private:
  std::int32_t grow(int leaves) {
    if (leaves == 1) {
      const int number = numbers_.back();
      numbers_.pop_back();
      return ~number;
    }
    const std::size_t at = forest_.nodes.size();
    forest_.nodes.push_back(random_node());
    int left = 1 + static_cast<int>(random_() % static_cast<unsigned>(leaves - 1));
    if (std::uniform_real_distribution<double>()(random_) < shape_.chain) {
      left = random_() % 2 ? 1 : leaves - 1;
    }
    const std::int32_t left_child = grow(left);
    const std::int32_t right_child = grow(leaves - left);
    forest_.nodes[at].left = left_child;
    forest_.nodes[at].right = right_child;
    return static_cast<std::int32_t>(at) - node_begin_;
  }

  ForestNode random_node() {
    ForestNode node;
    node.feature = static_cast<std::int32_t>(random_() % static_cast<unsigned>(shape_.features));
    node.missing = static_cast<MissingKind>(random_() % 3);
    node.default_left = random_() % 2;
    node.threshold = random_cut(random_);
    if (std::uniform_real_distribution<double>()(random_) < shape_.categorical) {
      node.categorical = true;
      node.category_begin = static_cast<std::int32_t>(forest_.category_words.size());
      for (std::uint64_t words = random_() % 4; words > 0; --words) {
        forest_.category_words.push_back(static_cast<std::uint32_t>(random_()));
      }
      node.category_end = static_cast<std::int32_t>(forest_.category_words.size());
    }
    return node;
  }

  std::mt19937_64& random_;
  const ForestShape& shape_;
  Forest& forest_;
  std::vector<int> numbers_;
  std::int32_t node_begin_ = 0;
};

inline Forest random_forest(std::mt19937_64& random, const ForestShape& shape) {
  Forest forest;
  forest.outputs = shape.outputs;
  for (int f = 0; f < shape.features; ++f) forest.feature_names.push_back(std::to_string(f));
  RandomTree tree(random, shape, forest);
  for (int t = 0; t < shape.trees * shape.outputs; ++t) tree.add(t % shape.outputs);
  return forest;
}

inline std::vector<float> random_row(std::mt19937_64& random, const Forest& forest) {
  const float infinity = std::numeric_limits<float>::infinity();
  static const float odd[] = {0.0f,     -0.0f,     std::numeric_limits<float>::quiet_NaN(),
                              infinity, -infinity, 1e-35f,
                              -1e-35f,  1e-45f,    -1e-45f,
                              3.4e38f,  -3.4e38f,  -0.5f,
                              -1.0f,    95.0f,     2147483648.0f};
  std::vector<float> row;
  for (std::size_t f = 0; f < forest.feature_names.size(); ++f) {
    float value = std::normal_distribution<float>(0, 1)(random);
    if (random() % 4 == 0) value = odd[random() % std::size(odd)];
    if (random() % 6 == 0) value = static_cast<float>(random() % 100);
    if (!forest.nodes.empty() && random() % 2) {
      value = static_cast<float>(forest.nodes[random() % forest.nodes.size()].threshold);
    }
    const auto nudge = random() % 4;
    if (nudge == 0) value = std::nextafter(value, infinity);
    if (nudge == 1) value = std::nextafter(value, -infinity);
    row.push_back(value);
  }
  return row;
}

}  // namespace tidemark
