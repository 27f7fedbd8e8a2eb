// Forests and rows for the kernel benchmarks: splits drawn from a seed, see the header.
#include "bench/kernels/made_forest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace tidemark {
namespace {

constexpr int missing_every = 4;  // every fourth feature has missing values
constexpr const char* made_objective = "made";

/// The distributions of the standard library may differ from one to the other; these do not.
class Random {
 public:
  explicit Random(std::uint32_t seed) : bits_(seed) {}
  double uniform() { return static_cast<double>(bits_()) / 4294967296.0; }
  unsigned below(unsigned end) { return static_cast<unsigned>(bits_() % end); }
  /// Twelve uniform values have the variance 1 in sum.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::mt19937 bits_;
};

/// A leaf that may still be split, with the share of rows that reaches it.
struct Growing {
  std::int32_t parent = -1;  // node of the tree; -1: it is the root
  bool left = false;
  int depth = 0;
  double share = 1;
  bool operator<(const Growing& other) const { return share < other.share; }
};

class Grower {
 public:
  Grower(const MadeShape& shape, std::uint32_t seed) : shape_(shape), random_(seed) {
    for (int f = 0; f < shape.features; ++f)
      forest_.feature_names.push_back("f" + std::to_string(f));
    forest_.objective = made_objective;
  }

  Forest grow() {
    for (int t = 0; t < shape_.trees; ++t) add_tree();
    return std::move(forest_);
  }

 private:
  void add_tree() {
    ForestTree tree;
    tree.node_begin = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_begin = static_cast<std::int32_t>(forest_.leaf_values.size());
    std::vector<Growing> open{Growing{}}, closed;
    while (!open.empty() && static_cast<int>(open.size() + closed.size()) < shape_.leaves) {
      std::pop_heap(open.begin(), open.end());
      const Growing leaf = open.back();
      open.pop_back();
      if (shape_.depth > 0 && leaf.depth == shape_.depth) {
        closed.push_back(leaf);
        continue;
      }
      const auto at = static_cast<std::int32_t>(forest_.nodes.size()) - tree.node_begin;
      // Full trees part evenly, leaf-wise ones as unevenly as trained ones do.
      const double left = shape_.depth > 0 ? 0.5 : 0.03 + 0.94 * random_.uniform();
      forest_.nodes.push_back(make_node(left));
      hang(tree, leaf, at);
      for (const bool is_left : {true, false}) {
        open.push_back({at, is_left, leaf.depth + 1, leaf.share * (is_left ? left : 1 - left)});
        std::push_heap(open.begin(), open.end());
      }
    }
    open.insert(open.end(), closed.begin(), closed.end());
    for (const Growing& leaf : open) {
      hang(tree, leaf, ~(static_cast<std::int32_t>(forest_.leaf_values.size()) - tree.leaf_begin));
      forest_.leaf_values.push_back(random_.uniform() - 0.5);
    }
    tree.node_end = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_end = static_cast<std::int32_t>(forest_.leaf_values.size());
    forest_.trees.push_back(tree);
  }

  /// A test that the share `left` of all rows passes, made rows being uniform over the cuts.
  ForestNode make_node(double left) {
    ForestNode node;
    node.feature = static_cast<std::int32_t>(random_.below(static_cast<unsigned>(shape_.features)));
    const double around = shape_.depth > 0 ? random_.uniform() : left;
    node.threshold = std::floor(around * shape_.cuts) + 0.5;
    const bool nullable = node.feature % missing_every == 0;
    node.missing = nullable ? MissingKind::nan : MissingKind::none;
    node.default_left = nullable && random_.below(2) == 0;
    return node;
  }

  void hang(const ForestTree& tree, const Growing& leaf, std::int32_t child) {
    if (leaf.parent < 0) return;
    ForestNode& parent = forest_.nodes[static_cast<std::size_t>(tree.node_begin + leaf.parent)];
    (leaf.left ? parent.left : parent.right) = child;
  }

  const MadeShape shape_;
  Random random_;
  Forest forest_;
};

}  // namespace

MadeShape made_f1() {
  return {"made-F1", 500, 256, 8, 64, 254};
}

MadeShape made_f2() {
  return {"made-F2", 1000, 64, 0, 64, 254};
}

Forest make_forest(const MadeShape& shape, std::uint32_t seed) {
  return Grower(shape, seed).grow();
}

FeatureMatrix make_rows(const Forest& forest, std::size_t rows, std::uint32_t seed) {
  const std::size_t features = forest.feature_names.size();
  const bool made = forest.objective == made_objective;
  Random random(seed);
  FeatureMatrix matrix;
  matrix.resize(rows, features);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t f = 0; f < features; ++f) {
      const bool missing = f % missing_every == 0 && random.below(10) == 0;
      const double value = made ? random.below(255) : random.normal();
      matrix.row(r)[f] =
          missing ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(value);
    }
  }
  return matrix;
}

}  // namespace tidemark
