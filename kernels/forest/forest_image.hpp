// ForestImage: a forest compiled for walking, one float compare a node, the same bytes on host and
// device. Built once at load by make_forest_image, immutable after; kernels take the view by value.
// It holds no sums and no links: order of summation is the caller's (see forest_body.hpp).
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/data/forest.hpp"

namespace tidemark {

/// Bits of ForestImageNode::column_flags above the column.
enum ForestNodeFlag : std::uint32_t {
  node_missing_left = 1u << 28,  // a missing value goes left
  node_zero_missing = 1u << 29,  // |x| <= 1e-35 counts as missing
  node_categorical = 1u << 30,   // `cut` is the index of a category set
};
inline constexpr std::uint32_t node_column_mask = (1u << 28) - 1;

/// Half the width of the interval that LightGBM reads as zero.
inline constexpr float zero_edge = 1e-35f;

/// One inner node. A value goes left iff x <= cut in float32: the double threshold is rounded down
/// at load, and a cut inside the zero interval is moved to its edge, so that neither the double nor
/// the trainer's zero drop costs anything here.
struct alignas(16) ForestImageNode {
  float cut = 0;
  std::uint32_t column_flags = 0;  // matrix column | ForestNodeFlag
  std::int32_t child[2] = {0, 0};  // left, right: node of the image, or ~leaf of the tree
};
static_assert(sizeof(ForestImageNode) == 16);

/// Words [begin, begin + words) of the category bit set, and what is a category at all.
struct CategorySet {
  std::uint32_t begin = 0;
  std::uint32_t words = 0;
  float above = -1.0f;             // a value that is not above this is none
  std::uint32_t missing_left = 0;  // NaN counts as in the set
};

/// Where a tree starts. `root` < 0 is ~leaf: a tree of one leaf.
struct alignas(16) ForestImageTree {
  std::int32_t root = -1;
  std::int32_t leaf_begin = 0;  // its first leaf in leaf_values
  std::int32_t output = 0;
  std::int32_t depth = 0;  // inner nodes on the longest path
};
static_assert(sizeof(ForestImageTree) == 16);

/// Trivially copyable; pointers are host or device memory, as the owner says.
struct ForestImageView {
  const ForestImageNode* nodes = nullptr;
  const ForestImageTree* trees = nullptr;
  const double* leaf_values = nullptr;
  const CategorySet* category_sets = nullptr;
  const std::uint32_t* category_words = nullptr;
  const double* base = nullptr;  // what each output's sum begins with
  std::int32_t tree_count = 0;
  std::int32_t outputs = 1;
  SumKind sum = SumKind::float64;
};

/// Memory that vectors hold.
template <class... Vectors>
std::size_t bytes_of(const Vectors&... vectors) {
  return (std::size_t{0} + ... + (vectors.size() * sizeof(vectors[0])));
}

/// Owner of the host image; a device copies the vectors as they are.
struct ForestImage {
  std::vector<ForestImageNode> nodes;
  std::vector<ForestImageTree> trees;  // in the trainer's order
  std::vector<double> leaf_values;
  std::vector<CategorySet> category_sets;
  std::vector<std::uint32_t> category_words;
  std::vector<double> base;
  std::int32_t outputs = 1;
  SumKind sum = SumKind::float64;

  std::size_t bytes() const {
    return bytes_of(nodes, trees, leaf_values, category_sets, category_words, base);
  }

  ForestImageView view() const {
    return {nodes.data(),
            trees.data(),
            leaf_values.data(),
            category_sets.data(),
            category_words.data(),
            base.data(),
            static_cast<std::int32_t>(trees.size()),
            outputs,
            sum};
  }
};

/// Sorts as cuts do, then by node. The two zeros are one cut.
inline std::uint64_t cut_sort_key(float cut, std::uint32_t node) {
  const auto bits = std::bit_cast<std::uint32_t>(cut + 0.0f);
  const std::uint32_t ordered = bits >> 31 ? ~bits : bits | 1u << 31;
  return std::uint64_t{ordered} << 32 | node;
}

/// A numeric test in float32, after the trainer's zero drop and missing rule.
struct NumericCut {
  float cut = 0;              // left iff x <= cut
  bool missing_left = false;  // NaN, and zero where zero_missing
  bool zero_missing = false;
};
NumericCut numeric_cut(const ForestNode& node);

/// `columns[f]` is the matrix column of the model's feature f. Throws UsageError where a model is
/// beyond the image's limits or a feature has no column.
ForestImage make_forest_image(const Forest& forest, std::span<const std::int32_t> columns);

}  // namespace tidemark
