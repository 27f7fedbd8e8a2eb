// ForestCodes: a forest image compiled once more, for devices: columns become byte codes, trees
// become four-byte nodes in stages that fit a block's shared memory. Built on the host at load, no
// CUDA here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/forest/code_columns.hpp"
#include "kernels/forest/forest_codes_body.hpp"
#include "kernels/forest/forest_image.hpp"
#include "kernels/forest/forest_tuning.hpp"

namespace tidemark {

/// Consecutive trees as one block of memory. Perfect ones stand one after the other; linked ones
/// are CodeTree headers, then each tree's nodes and values.
struct CodeStage {
  std::uint32_t begin = 0;  // byte of ForestCodes::stages, a multiple of 16
  std::uint32_t bytes = 0;  // a multiple of 16
  std::int32_t trees = 0;
  std::int32_t unused = 0;
};

struct ForestCodes {
  std::uint32_t value_bytes() const { return sum == SumKind::float64 ? 8 : 4; }

  std::vector<CodeFeature> features;  // by column
  std::vector<CodeChunk> chunks;      // and one more, the end
  std::vector<float> cuts;            // see cut_turn
  std::vector<CodeStage> directory;   // in tree order
  std::vector<unsigned char> stages;
  SumKind sum = SumKind::float64;  // values of leaves are doubles, or floats
  int levels = 0;                  // of every tree where all are perfect; 0: they are linked
  std::int32_t threads = 0;        // of a block: words of a tile's column
  std::uint32_t stage_bytes_max = 0;
};

/// Shared memory of a device, in bytes.
struct SharedMemory {
  std::uint32_t block_max = 0;       // that one block may use
  std::uint32_t multiprocessor = 0;  // that the blocks of one multiprocessor share
  std::uint32_t reserved = 1024;     // of each block, for the system
};

/// Nothing, and the reason in `why`, where the forest does not fit the format: the general walker
/// takes it then. A block holds a tile and two stages, one to walk and one to copy into.
std::optional<ForestCodes> make_forest_codes(const ForestImage& image, const ForestTuning& tuning,
                                             const SharedMemory& shared, std::string& why);

}  // namespace tidemark
