// ForestCodes: a forest image compiled once more, for devices: columns become byte codes, trees
// become four-byte nodes in stages that fit a block's shared memory. Built on the host at load, no
// CUDA here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/forest/forest_codes_body.hpp"
#include "kernels/forest/forest_image.hpp"
#include "kernels/forest/forest_tuning.hpp"

namespace tidemark {

/// Trees [of a stage] as one block of memory: CodeTree headers, then each tree's nodes and values.
struct CodeStage {
  std::uint32_t begin = 0;  // byte of ForestCodes::stages, a multiple of 16
  std::uint32_t bytes = 0;  // a multiple of 16
  std::int32_t trees = 0;
  std::int32_t unused = 0;
};

struct ForestCodes {
  std::vector<CodeFeature> features;       // by column
  std::vector<std::uint32_t> chunk_begin;  // first feature of every `code_chunk_columns` columns
  std::vector<float> cuts;
  std::vector<CodeStage> directory;  // in tree order
  std::vector<unsigned char> stages;
  std::int32_t threads = 0;  // rows of a tile that one word column serves
  std::uint32_t stage_bytes_max = 0;
};

/// Columns that the quantising kernel holds at a time.
inline constexpr std::uint32_t code_chunk_columns = 32;

/// Nothing, and the reason in `why`, where the forest does not fit the format: the general walker
/// takes it then. `shared_bytes_max` is what a block of the device may use.
std::optional<ForestCodes> make_forest_codes(const ForestImage& image, const ForestTuning& tuning,
                                             std::uint32_t shared_bytes_max, std::string& why);

}  // namespace tidemark
