// RowForest: a forest compiled for few rows on any CPU. A row's values become codes of one byte
// first; its trees are then walked with several in flight, each step two loads, a comparison and an
// addition, no branch. Built once at load, immutable.
//
// Trees of up to 8 levels become perfect, with nodes of two bytes, where that does not waste more
// than it saves; others are linked, with nodes of four.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/forest/code_columns.hpp"
#include "kernels/forest/forest_image.hpp"

namespace tidemark {

inline constexpr std::size_t row_features_max = 256;  // that a byte names

/// A node of a perfect tree: feature below, rank above. Right iff code > rank; children of node i
/// are 2i and 2i + 1, node 0 is not used.
using PerfectNode = std::uint16_t;
inline constexpr PerfectNode perfect_never_right = 255u << 8;

/// A node of a linked tree: its left child stands `left` nodes on, the right one behind that. A
/// leaf is its own left child, and no code is above its rank.
struct LinkedNode {
  std::uint16_t left = 0;
  std::uint8_t feature = 0, rank = 255;
};
static_assert(sizeof(LinkedNode) == 4);

struct LinkedTree {
  std::uint32_t root = 0;        // node of RowForest::linked
  std::uint32_t value_bias = 0;  // node + this (as 32 bits wrap) is a leaf's value
};

struct RowForest {
  CodeSearch search;
  std::uint32_t levels = 0;          // of perfect trees, 1 to 8; 0: they are linked
  std::vector<PerfectNode> perfect;  // [tree][2^levels]
  std::vector<LinkedNode> linked;    // breadth first, tree after tree
  std::vector<LinkedTree> trees;     // of linked ones
  // Values of leaves, in the one of two forms that the forest's arithmetic needs.
  std::vector<double> values;
  std::vector<float> values32;
  std::vector<std::int32_t> output_of;  // by tree

  std::size_t bytes() const {
    return search.bytes() + bytes_of(perfect, linked, trees, values, values32, output_of);
  }
};

/// Nothing where there are too many features or a tree is too large.
std::optional<RowForest> make_row_forest(const ForestImage& image);

/// Raw scores of few rows, rows x outputs; allocates nothing.
void score_by_rows(const RowForest& forest, const ForestImageView& image, FeatureMatrixView rows,
                   double* out);

}  // namespace tidemark
