// BitForest: a forest compiled for bit-slicing, where one instruction takes one decision for a
// whole block of rows. Built once at load, immutable; independent of the instruction set: the
// kernel (bit_kernel.cpp) chooses how many rows are a block.
//
// A *mask* is one bit a row: set where the row goes right. Masks are numbered: first those of the
// numeric cuts, column by column, then the category sets, then `mask_zero`, then scratch for the
// tree at hand. A tree becomes a perfect tree of `width` levels whose 2^width - 1 positions each
// name a mask; the planes selected level by level are the bits of the row's leaf code. Trees that
// are deeper than 8 but have at most 256 leaves are re-balanced: a position may then hold a mask
// made of several ("chain").
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/forest/forest_image.hpp"

namespace tidemark {

inline constexpr int bit_width_max = 8;

/// One matrix column as a set of sorted cuts; missing values become +-infinity first.
struct BitColumn {
  std::uint32_t source = 0;  // index into BitForest::sources
  float missing_as = 0;      // -infinity: goes left at every cut; +infinity: goes right
  bool zero_missing = false;
  bool only_missing = false;  // present values become -infinity: right iff missing
  std::uint32_t cut_count = 0;
  std::uint32_t bits = 0;          // cut_count < 2^bits
  std::uint32_t search_begin = 0;  // its level tables: line of BitForest::search
  std::uint32_t mask_begin = 0;    // its cuts' masks, in ascending order
};

/// A category set of one column; its mask is set where the category is not in it.
struct BitSet {
  std::uint32_t source = 0;
  CategorySet set;
  std::uint32_t mask = 0;
};

/// Sixteen entries of search tables: one line of a cache, one widest vector.
struct alignas(64) SearchLine {
  std::array<float, 16> entries;
};

/// 64 bytes of a table of byte planes: plane b holds byte b of every value, by code. One line is
/// one widest vector, and one look-up.
struct alignas(64) ByteLine {
  std::array<std::uint8_t, 64> bytes;
};

/// How a kernel wants the values of leaves.
enum class LeafTables : std::uint8_t { values, byte_planes };

/// One step of a mask that is made of several, without a branch: with v the mask so far (0 when
/// `keep` is 0), v = majority(mask, v, either): "mask and v" where either is 0, "mask or v" where
/// it is all ones. Every step stores; the last one of a chain stays.
struct BitChainStep {
  std::uint32_t mask = 0;
  std::uint32_t target = 0;  // a scratch mask
  std::uint32_t keep = 0;    // 0 in the first step of a chain, else all ones
  std::uint32_t either = 0;
};

struct BitTree {
  std::uint32_t width = 0;
  std::uint32_t position_begin = 0;  // 2^width - 1 masks, level by level
  std::uint32_t chain_begin = 0, chain_end = 0;
  std::uint32_t leaf_begin = 0;   // 2^width leaf values and numbers by code
  std::uint32_t plane_begin = 0;  // its byte planes: line of BitForest::planes
  std::int32_t tree = 0;          // in the trainer's order
  std::int32_t output = 0;
  bool walked = false;  // more than 256 leaves: not bit-sliced
};

struct BitForest {
  std::vector<std::uint32_t> sources;  // distinct matrix columns
  std::vector<BitColumn> columns;
  std::vector<SearchLine> search;
  std::vector<BitSet> sets;
  std::vector<BitTree> trees;  // by output, in the trainer's order within one
  std::vector<std::uint32_t> positions;
  std::vector<BitChainStep> chain;
  // Values of leaves, in the one of three forms that the kernel and the forest's arithmetic need.
  std::vector<double> values;
  std::vector<float> values32;
  std::vector<ByteLine> planes;
  std::vector<std::uint16_t> leaf_numbers;
  std::uint32_t mask_count = 0;  // with scratch
  std::int32_t outputs = 1;
  std::vector<double> base;  // what each output's sum begins with
  SumKind sum = SumKind::float64;
  std::size_t walked = 0;  // trees that are too large to be sliced

  std::size_t bytes() const {
    return bytes_of(sources, columns, search, sets, trees, positions, chain, values, values32,
                    planes, leaf_numbers);
  }
};

/// First entry of level `level` in a column's search tables: 16 entries for each of the first five
/// levels, 2^level for the others. Entry i of a level is the cut to compare with after decisions
/// whose k-th bit is bit k of i.
constexpr std::uint32_t search_level_begin(std::uint32_t level) {
  return level <= 4 ? 16 * level : 64 + (1u << level) - 16;
}

/// A tree's values, as the kernel wants them; the others are null.
struct LeafTable {
  const double* values = nullptr;
  const float* values32 = nullptr;
  const ByteLine* planes = nullptr;  // `lines` for each byte of a value
  std::uint32_t lines = 0;           // 1, 2 or 4
};

constexpr std::uint32_t plane_lines_of(const BitTree& tree) {
  return tree.width <= 6 ? 1 : 1u << (tree.width - 6);
}

inline LeafTable leaf_table_of(const BitForest& forest, const BitTree& tree) {
  if (!forest.planes.empty()) {
    return {nullptr, nullptr, forest.planes.data() + tree.plane_begin, plane_lines_of(tree)};
  }
  if (forest.sum == SumKind::float64) return {forest.values.data() + tree.leaf_begin};
  return {nullptr, forest.values32.data() + tree.leaf_begin};
}

BitForest make_bit_forest(const ForestImage& image, LeafTables tables);

}  // namespace tidemark
