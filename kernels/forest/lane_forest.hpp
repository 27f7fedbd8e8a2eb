// LaneForest: a forest compiled for few rows, where one instruction takes one decision of one row
// in 64 trees. Built once at load for machines with VBMI, immutable. Trees up to depth 8 become
// perfect; the decisions of 512 trees are then selected, level by level, by the same code that
// selects those of 512 rows (bit_leaves-inl.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/forest/code_columns.hpp"
#include "kernels/forest/forest_image.hpp"

namespace tidemark {

inline constexpr std::size_t lane_trees = 512;         // of a group
inline constexpr std::size_t lane_features_max = 128;  // two vectors of codes
inline constexpr std::uint32_t lane_levels_max = 8;
inline constexpr std::size_t lane_forest_trees_max = 8192;  // 20 MB: beyond, few rows can wait

/// One position of 64 trees: which code each asks, and the rank it must be above to go right.
struct alignas(64) LaneTests {
  std::array<std::uint8_t, 64> feature, rank;
};

struct LaneForest {
  CodeSearch search;
  std::uint32_t levels = 0;  // of every tree
  /// [group][position][64 trees]: positions by level; within one, bit k of the index is the
  /// decision of level k.
  std::vector<LaneTests> tests;
  std::vector<double> values;           // [tree][2^levels] by leaf code
  std::vector<std::int32_t> output_of;  // by tree

  std::size_t bytes() const { return search.bytes() + bytes_of(tests, values, output_of); }
};

/// Nothing where a tree is too deep or there are too many features.
std::optional<LaneForest> make_lane_forest(const ForestImage& image);

}  // namespace tidemark
