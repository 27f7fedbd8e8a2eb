// The smallest task of scoring, once for host and device: one row down one tree, and one row
// through a forest in the trainer's order. No parallelism here; a CPU loop and a kernel hand it
// out. Must be compiled without flush-to-zero: cuts may be denormal.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/forest/forest_image.hpp"

namespace tidemark {

/// Left iff the category is in the set. The value is cut toward zero; what is below all categories
/// or too large is in no set.
TIDEMARK_HD inline bool in_category_set(float x, CategorySet set, const std::uint32_t* words) {
  if (x != x) return set.missing_left != 0;
  if (!(x > set.above) || !(x < 2147483648.0f)) return false;
  const std::uint32_t category = static_cast<std::uint32_t>(static_cast<std::int32_t>(x));
  if (category / 32 >= set.words) return false;
  return (words[set.begin + category / 32] >> (category % 32)) & 1u;
}

TIDEMARK_HD inline bool goes_left(const ForestImageView& image, const ForestImageNode& node,
                                  float x) {
  if (node.column_flags & node_categorical) {
    const CategorySet set = image.category_sets[static_cast<std::uint32_t>(node.cut)];
    return in_category_set(x, set, image.category_words);
  }
  const bool zero = (node.column_flags & node_zero_missing) && x >= -zero_edge && x <= zero_edge;
  if (zero || x != x) return (node.column_flags & node_missing_left) != 0;
  return x <= node.cut;
}

/// The child that `row` takes at inner node `node`.
TIDEMARK_HD inline std::int32_t step(const ForestImageView& image, std::int32_t node,
                                     const float* row) {
  const ForestImageNode& at = image.nodes[node];
  return at.child[goes_left(image, at, row[at.column_flags & node_column_mask]) ? 0 : 1];
}

/// Leaf number of `row` within tree `tree`.
TIDEMARK_HD inline std::int32_t leaf_of(const ForestImageView& image, std::int32_t tree,
                                        const float* row) {
  std::int32_t node = image.trees[tree].root;
  while (node >= 0) node = step(image, node, row);
  return ~node;
}

/// One more leaf on a sum, rounded as the trainer rounds it. A sum of floats is kept in a double
/// without loss.
TIDEMARK_HD inline double add_leaf(SumKind kind, double sum, double leaf) {
  if (kind == SumKind::float64) return sum + leaf;
  return static_cast<double>(static_cast<float>(sum) + static_cast<float>(leaf));
}

/// Adds every tree's leaf to out[output], in tree order. `out`: image.outputs doubles, set here.
TIDEMARK_HD inline void score_row(const ForestImageView& image, const float* row, double* out) {
  for (std::int32_t o = 0; o < image.outputs; ++o) out[o] = image.base[o];
  for (std::int32_t t = 0; t < image.tree_count; ++t) {
    const ForestImageTree& tree = image.trees[t];
    const double leaf = image.leaf_values[tree.leaf_begin + leaf_of(image, t, row)];
    out[tree.output] = add_leaf(image.sum, out[tree.output], leaf);
  }
}

}  // namespace tidemark
