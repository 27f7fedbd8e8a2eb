#include "models/forest_oracle.hpp"

#include <algorithm>
#include <cmath>

namespace tidemark {
namespace {

constexpr double zero_threshold = 1e-35f;

bool category_goes_left(const Forest& forest, const ForestNode& node, double value) {
  if (std::isnan(value)) return node.strict && node.default_left;
  if (value <= -1.0 || value >= 2147483648.0 || (node.strict && value < 0.0)) return false;
  const std::int64_t category = static_cast<std::int64_t>(value);
  const std::int64_t word = node.category_begin + category / 32;
  if (word >= node.category_end) return false;
  return (forest.category_words[static_cast<std::size_t>(word)] >> (category % 32)) & 1u;
}

bool goes_left(const Forest& forest, const ForestNode& node, float feature) {
  double value = feature;
  if (node.categorical) return category_goes_left(forest, node, value);
  if (node.strict) {
    if (std::isnan(feature)) return node.default_left;
    return value < static_cast<float>(node.threshold);
  }
  if (std::fabs(value) <= zero_threshold) value = 0.0;
  if (std::isnan(value) && node.missing != MissingKind::nan) value = 0.0;
  if (node.missing == MissingKind::zero && value == 0.0) return node.default_left;
  if (std::isnan(value)) return node.default_left;
  return value <= node.threshold;
}

}  // namespace

std::int32_t oracle_leaf(const Forest& forest, std::size_t tree, std::span<const float> features) {
  const ForestTree& at = forest.trees[tree];
  std::int32_t node = at.node_begin == at.node_end ? ~0 : 0;
  while (node >= 0) {
    const ForestNode& inner = forest.nodes[static_cast<std::size_t>(at.node_begin + node)];
    const float value = features[static_cast<std::size_t>(inner.feature)];
    node = goes_left(forest, inner, value) ? inner.left : inner.right;
  }
  return ~node;
}

void oracle_score(const Forest& forest, std::span<const float> features, std::span<double> out) {
  for (std::size_t o = 0; o < out.size(); ++o) out[o] = forest.base.empty() ? 0 : forest.base[o];
  for (std::size_t t = 0; t < forest.trees.size(); ++t) {
    const ForestTree& tree = forest.trees[t];
    const std::int32_t leaf = oracle_leaf(forest, t, features);
    const double value = forest.leaf_values[static_cast<std::size_t>(tree.leaf_begin + leaf)];
    double& sum = out[static_cast<std::size_t>(tree.output)];
    sum += value;
    if (forest.sum == SumKind::float32) {
      // Both are floats, so their exact sum is a double, and this rounds it once.
      sum = static_cast<double>(static_cast<float>(sum));
    }
  }
  for (const LinearTerm& term : forest.linear) {
    out[0] += linear_term(term, features[static_cast<std::size_t>(term.feature)]);
  }
}

}  // namespace tidemark
