// Packing one tree of at most 256 leaves into a perfect tree of at most 8 levels (bit_forest.hpp
// says what for). Pure structure: no masks, no values. Used at load.
//
// Leaves are numbered from left to right; a position splits an interval of them at a boundary.
// Every inner node is the one whose two subtrees meet at "its" boundary, so the question "is the
// row's leaf right of boundary c" is answered by the nodes on the path to that node: where the path
// turns right the row must go right too, where it turns left going right is enough.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/forest/forest_image.hpp"

namespace tidemark {

/// A tree by its leaves from left to right.
struct TreeShape {
  struct Node {
    std::int32_t left = -1, right = -1;  // of this list, < 0: leaf
    std::int32_t node = 0;               // of the image
    std::int32_t boundary = 0;           // leaves left of it within the tree
  };
  std::vector<Node> nodes;
  std::vector<std::int32_t> leaves;  // leaf number of the model, from left to right
  std::int32_t root = -1;            // of the image
};
TreeShape make_tree_shape(const ForestImage& image, const ForestImageTree& tree);

struct PathStep {
  std::int32_t node = 0;  // of the image
  bool to_right = false;  // where the path goes on; of no meaning in the last step
};

/// One position of the perfect tree: steps [begin, end) of TreePacking::paths. An empty path: both
/// ways lead to the same leaf.
struct TreePosition {
  std::uint32_t begin = 0, end = 0;
};

struct TreePacking {
  std::uint32_t width = 0;
  std::vector<PathStep> paths;
  std::vector<TreePosition> positions;  // level by level; within a level, bit k of the index is the
                                        // decision of level k
  std::vector<std::int32_t> leaf_of_code;  // 2^width leaf numbers of the model
};

/// The cheapest packing of width at most 8.
TreePacking pack_tree(const TreeShape& shape);

}  // namespace tidemark
