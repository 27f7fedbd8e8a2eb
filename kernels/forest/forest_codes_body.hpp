// Scoring on codes, the smallest tasks of the CUDA scorer: one value to its code, one step down a
// packed tree. Compiles for host and device; the drivers own tiles, stages and loops.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/forest/forest_body.hpp"

namespace tidemark {

/// How a missing value (NaN, and |x| <= 1e-35 where the model says so) is coded.
enum class MissingCode : std::uint8_t {
  as_zero,  // like 0.0
  left,     // 0: not above any cut
  right,    // 255: above every cut
};

/// A column as one group of nodes sees it. The code of x is the number of its cuts below x, so that
/// comparing codes is comparing floats: exact, one byte, and no missing value left to think of.
struct alignas(16) CodeFeature {
  std::uint32_t column = 0;
  std::uint32_t begin = 0;  // of its 2^steps cuts; or the index of its category set
  std::uint8_t steps = 0;
  MissingCode missing = MissingCode::right;
  bool zero_missing = false;
  bool categorical = false;  // code 0: in the set, 1: not
};
static_assert(sizeof(CodeFeature) == 16);

inline constexpr std::uint32_t code_missing_right = 255;
inline constexpr std::uint32_t code_cuts_max = 254;

/// Cuts of a feature, padded with +infinity to 2^steps - 1, stand as a search tree: cut i is
/// followed by cuts 2i and 2i + 1, and index 0 is not used. The upper levels share few words, so
/// that lanes searching in shared memory seldom meet in a bank.
TIDEMARK_HD inline std::uint32_t cut_turn(const float* cuts, std::uint32_t at, float x) {
  return 2 * at + (cuts[at] < x ? 1 : 0);
}

/// The codes of kRows values of one feature; `cuts` is the feature's own first cut. Values of
/// several rows are searched side by side, for each step of a search waits for the one before.
template <int kRows>
TIDEMARK_HD inline void find_codes(const CodeFeature& feature, const float* cuts,
                                   const ForestImageView& image, const float (&x)[kRows],
                                   std::uint32_t (&codes)[kRows]) {
  if (feature.categorical) {
    const CategorySet set = image.category_sets[feature.begin];
    for (int r = 0; r < kRows; ++r) {
      codes[r] = in_category_set(x[r], set, image.category_words) ? 0 : 1;
    }
    return;
  }
  float key[kRows];
  for (int r = 0; r < kRows; ++r) {
    codes[r] = 1;
    key[r] = x[r] == x[r] ? x[r] : 0.0f;
  }
  for (int step = 0; step < feature.steps; ++step) {
    for (int r = 0; r < kRows; ++r) codes[r] = cut_turn(cuts, codes[r], key[r]);
  }
  // Without branches, for lanes would take them one after the other.
  const bool replaces = feature.missing != MissingCode::as_zero;
  const std::uint32_t code = feature.missing == MissingCode::left ? 0 : code_missing_right;
  for (int r = 0; r < kRows; ++r) {
    codes[r] -= 1u << feature.steps;
    const bool zero = feature.zero_missing & (x[r] >= -zero_edge) & (x[r] <= zero_edge);
    codes[r] = (replaces & (zero | (x[r] != x[r]))) ? code : codes[r];
  }
}

/// A node of a linked tree: cut rank [30:23], byte offset of the code word in the tile, a multiple
/// of the tile's row of words, up to [17], and below that row's size the pair of its children:
/// nodes 2 * pair and 2 * pair + 1. Right iff code > rank. A leaf has rank 255 and itself as child;
/// its bit 31 says which of the two it is, for no code can.
inline constexpr int code_rank_shift = 23;
inline constexpr std::uint32_t code_offset_end = 1u << 18;
inline constexpr std::uint32_t code_never_right = 255u << code_rank_shift;
inline constexpr std::uint32_t code_always_right = 1u << 31 | code_never_right;

/// To one of two neighbours. A code above the rank makes the difference negative, and its sign is
/// the last bit of the child's number. Shifted as one word of 64 bits that is a single instruction
/// on a device, where a compare and an addition would be two.
TIDEMARK_HD inline std::uint32_t code_turn(std::uint32_t node, std::uint32_t code,
                                           std::uint32_t pair) {
  const std::uint32_t difference = node - (code << code_rank_shift);
  return static_cast<std::uint32_t>((std::uint64_t{pair} << 32 | difference) >> 31);
}

/// From node `at` of the linked tree at byte `tree` to its child. `memory` begins with the tile, so
/// that the code of a node lies at (its offset | lane), where lane < `row_bytes`, the tile's row of
/// words, is the byte of the walking row: 32-bit offsets and one logic operation, where pointers
/// would cost the device twice as much.
TIDEMARK_HD inline std::uint32_t code_step(const unsigned char* memory, std::uint32_t tree,
                                           std::uint32_t at, std::uint32_t row_bytes,
                                           std::uint32_t lane) {
  const std::uint32_t node = *reinterpret_cast<const std::uint32_t*>(memory + (tree + 4 * at));
  const std::uint32_t offset = node & (code_offset_end - row_bytes);
  return code_turn(node, memory[offset | lane], node & (row_bytes - 1));
}

/// A node of a perfect tree, where every path has the same length and children stand at 2i and
/// 2i + 1, has rank and offset alone. Node 0 holds the tree's output; where a path ends early,
/// nodes that are never right lead on to the left.
inline constexpr int perfect_levels[] = {4, 6, 8};  // that kernels exist for

TIDEMARK_HD inline std::uint32_t perfect_step(const unsigned char* memory, std::uint32_t tree,
                                              std::uint32_t at, std::uint32_t lane) {
  const std::uint32_t node = *reinterpret_cast<const std::uint32_t*>(memory + (tree + 4 * at));
  return code_turn(node, memory[(node & (code_offset_end - 1)) | lane], at);
}

/// A perfect tree is 2^levels nodes and 2^levels values of `value_bytes`, 8 or 4. Its bytes, and
/// where the value of the path's end `at`, one of [2^levels, 2 * 2^levels), stands.
TIDEMARK_HD constexpr std::uint32_t perfect_bytes(int levels, std::uint32_t value_bytes) {
  return (4 + value_bytes) << levels;
}
TIDEMARK_HD constexpr std::uint32_t perfect_value(int levels, std::uint32_t value_bytes,
                                                  std::uint32_t tree, std::uint32_t at) {
  return tree + value_bytes * at - ((value_bytes - 4) << levels);
}

/// A linked tree inside a stage: its nodes begin at byte `root`, of which the first is number 1;
/// the value of leaf `at` stands at value_bytes * at + value_bias.
struct alignas(16) CodeTree {
  std::uint32_t root = 0;
  std::int32_t value_bias = 0;
  std::int32_t depth = 0;
  std::int32_t output = 0;
};
static_assert(sizeof(CodeTree) == 16);

}  // namespace tidemark
