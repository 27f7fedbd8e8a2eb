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
  std::uint32_t begin = 0;  // cuts: first of 2^steps - 1, ascending, +inf at the end; or set index
  std::uint8_t steps = 0;
  MissingCode missing = MissingCode::right;
  bool zero_missing = false;
  bool categorical = false;  // code 0: in the set, 1: not
};
static_assert(sizeof(CodeFeature) == 16);

inline constexpr std::uint32_t code_missing_right = 255;
inline constexpr std::uint32_t code_cuts_max = 254;

TIDEMARK_HD inline std::uint32_t code_of(const CodeFeature& feature, const float* cuts,
                                         const ForestImageView& image, float x) {
  if (feature.categorical) {
    return in_category_set(x, image.category_sets[feature.begin], image.category_words) ? 0 : 1;
  }
  const bool zero = feature.zero_missing && x >= -zero_edge && x <= zero_edge;
  if (zero || x != x) {
    if (feature.missing == MissingCode::left) return 0;
    if (feature.missing == MissingCode::right) return code_missing_right;
    x = 0.0f;
  }
  const float* const from = cuts + feature.begin;
  std::uint32_t below = 0;
  for (std::uint32_t step = 1u << feature.steps >> 1; step != 0; step >>= 1) {
    if (from[below + step - 1] < x) below += step;
  }
  return below;
}

/// A node of four bytes: cut rank [7:0], byte offset of the code word in the tile [17:8], distance
/// to the left child in nodes [31:18]; the right child follows the left. Right iff code > rank. A
/// leaf is rank 255, distance 0: no code is above it, so it leads to itself.
inline constexpr std::uint32_t code_node_rank = 0xff;
inline constexpr std::uint32_t code_node_offset = 0x3ff00;
inline constexpr int code_node_distance_shift = 18;
inline constexpr std::uint32_t code_node_distance_max = (1u << 14) - 1;
inline constexpr std::uint32_t code_leaf = code_node_rank;

/// From the node at byte `at` to its child. `memory` begins with the tile, so that the code of a
/// node lies at (its offset | lane), where lane < the tile's row of words is the byte of the
/// walking row: 32-bit offsets and one logic operation, where pointers would cost the device twice
/// as much.
TIDEMARK_HD inline std::uint32_t code_step(const unsigned char* memory, std::uint32_t at,
                                           std::uint32_t lane) {
  const std::uint32_t node = *reinterpret_cast<const std::uint32_t*>(memory + at);
  const std::uint32_t code = memory[(node & code_node_offset) | lane];
  const std::uint32_t left = at + ((node >> code_node_distance_shift) << 2);
  return code > (node & code_node_rank) ? left + 4 : left;
}

/// A tree inside a stage; offsets in bytes from the stage's start. The value of the leaf at byte
/// `at` stands at 2 * at + value_bias: doubles run beside the four-byte nodes from the first leaf
/// on.
struct alignas(16) CodeTree {
  std::uint32_t root = 0;
  std::int32_t value_bias = 0;
  std::int32_t depth = 0;
  std::int32_t output = 0;
};
static_assert(sizeof(CodeTree) == 16);

}  // namespace tidemark
