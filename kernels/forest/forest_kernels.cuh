// The forest on the device: rows become byte codes in tiles, a block walks its tile through every
// tree in order and keeps the sums in registers. Kernels only; forest_cuda.cu is their one user and
// owns all memory. Nothing here depends on the launch: every row's sum is one thread's, in tree
// order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/forest/forest_body.hpp"
#include "kernels/forest/forest_codes.hpp"

namespace tidemark {
namespace {

constexpr int rows_per_thread_max = 4;  // one byte each of a 32-bit word of the tile
constexpr int quantise_threads = 128;
constexpr int walker_threads = 128;

struct QuantiseArguments {
  FeatureMatrixView rows;
  ForestImageView image;  // for category sets
  const CodeFeature* features;
  const std::uint32_t* chunk_begin;
  const float* cuts;
  std::uint32_t* codes;  // [tile][feature][thread]; byte r of a word: row r * threads + thread
  std::uint32_t chunks, feature_count, threads;
};

/// A block codes 32 words of every feature: 32 x kRows rows. Columns pass through shared memory,
/// read along rows and used down columns; 33 floats a row keep both free of bank conflicts.
template <int kRows>
__global__ void __launch_bounds__(quantise_threads) quantise(const QuantiseArguments a) {
  __shared__ float values[32 * kRows][code_chunk_columns + 1];
  const std::uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::uint32_t blocks_per_tile = a.threads / 32;
  const std::uint32_t tile = blockIdx.x / blocks_per_tile;
  const std::uint32_t thread = blockIdx.x % blocks_per_tile * 32;
  const std::size_t first_row = static_cast<std::size_t>(tile) * a.threads * kRows + thread;
  for (std::uint32_t chunk = 0; chunk < a.chunks; ++chunk) {
    const std::uint32_t column = chunk * code_chunk_columns + lane;
    for (std::uint32_t i = warp; i < 32 * kRows; i += quantise_threads / 32) {
      const std::size_t row = first_row + static_cast<std::size_t>(i / 32) * a.threads + i % 32;
      const bool inside = row < a.rows.rows && column < a.rows.features;
      values[i][lane] = inside ? a.rows.row(row)[column] : 0.0f;
    }
    __syncthreads();
    for (std::uint32_t f = a.chunk_begin[chunk] + warp; f < a.chunk_begin[chunk + 1];
         f += quantise_threads / 32) {
      const CodeFeature feature = a.features[f];
      std::uint32_t word = 0;
      for (int r = 0; r < kRows; ++r) {
        const float x = values[r * 32 + lane][feature.column - chunk * code_chunk_columns];
        word |= code_of(feature, a.cuts, a.image, x) << (8 * r);
      }
      const std::size_t column_of_words = static_cast<std::size_t>(tile) * a.feature_count + f;
      a.codes[column_of_words * a.threads + thread + lane] = word;
    }
    __syncthreads();
  }
}

struct WalkArguments {
  const std::uint32_t* codes;
  const CodeStage* directory;
  const unsigned char* stages;
  double* out;  // rows x outputs
  std::size_t rows;
  std::uint32_t tile_bytes;
  std::int32_t stage_count, outputs;
};

__device__ void copy_block(unsigned char* to, const void* from, std::uint32_t bytes) {
  for (std::uint32_t i = threadIdx.x; i < bytes / sizeof(uint4); i += blockDim.x) {
    reinterpret_cast<uint4*>(to)[i] = static_cast<const uint4*>(from)[i];
  }
}

template <int kRows>
__device__ void step_rows(const unsigned char* memory, std::uint32_t lane,
                          std::uint32_t (&at)[kRows]) {
#pragma unroll
  for (int r = 0; r < kRows; ++r) at[r] = code_step(memory, at[r], lane + r);
}

/// Walks kRows rows of a thread down one tree; `at` ends at their leaves. Leaves lead to
/// themselves, so all lanes take the same number of steps; a deep tree is left early once no lane
/// moves.
template <int kRows>
__device__ void walk_tree(const unsigned char* memory, std::int32_t depth, std::uint32_t lane,
                          std::uint32_t (&at)[kRows]) {
  for (; depth > 8; depth -= 8) {
    for (int step = 1; step < 8; ++step) step_rows(memory, lane, at);
    std::uint32_t before[kRows];
    for (int r = 0; r < kRows; ++r) before[r] = at[r];
    step_rows(memory, lane, at);
    bool moved = false;
    for (int r = 0; r < kRows; ++r) moved |= at[r] != before[r];
    if (!__any_sync(0xffffffffu, moved)) return;
  }
  for (; depth > 0; --depth) step_rows(memory, lane, at);
}

/// A block per tile. Trees pass through shared memory stage by stage; each thread adds its rows'
/// leaves in tree order, so no sum is shared and none depends on the launch.
template <int kRows, bool kSingle>
__global__ void __launch_bounds__(256) walk_codes(const WalkArguments a) {
  extern __shared__ __align__(16) unsigned char memory[];  // tile, then stage
  const std::size_t first_row =
      static_cast<std::size_t>(blockIdx.x) * blockDim.x * kRows + threadIdx.x;
  const std::uint32_t lane = threadIdx.x * 4;
  copy_block(memory, a.codes + static_cast<std::size_t>(blockIdx.x) * (a.tile_bytes / 4),
             a.tile_bytes);
  double sum[kRows] = {};
  for (std::int32_t s = 0; s < a.stage_count; ++s) {
    const CodeStage stage = a.directory[s];
    __syncthreads();
    copy_block(memory + a.tile_bytes, a.stages + stage.begin, stage.bytes);
    __syncthreads();
    for (std::int32_t t = 0; t < stage.trees; ++t) {
      const CodeTree tree = reinterpret_cast<const CodeTree*>(memory + a.tile_bytes)[t];
      std::uint32_t at[kRows];
      for (int r = 0; r < kRows; ++r) at[r] = a.tile_bytes + tree.root;
      walk_tree<kRows>(memory, tree.depth, lane, at);
      const std::uint32_t bias = static_cast<std::uint32_t>(tree.value_bias) - a.tile_bytes;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const double value = *reinterpret_cast<const double*>(memory + (2 * at[r] + bias));
        if constexpr (kSingle) {
          sum[r] += value;
        } else {
          // A row belongs to one thread, so its outputs can be summed where they will be read.
          const std::size_t row = first_row + static_cast<std::size_t>(r) * blockDim.x;
          if (row < a.rows) a.out[row * a.outputs + tree.output] += value;
        }
      }
    }
  }
  if constexpr (kSingle) {
    for (int r = 0; r < kRows; ++r) {
      const std::size_t row = first_row + static_cast<std::size_t>(r) * blockDim.x;
      if (row < a.rows) a.out[row] = sum[r];
    }
  }
}

/// Every forest there is, a thread per row, straight from the image: the fallback.
__global__ void __launch_bounds__(walker_threads)
    walk_image(FeatureMatrixView rows, ForestImageView image, double* out) {
  const std::size_t row = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row < rows.rows) score_row(image, rows.row(row), out + row * image.outputs);
}

__global__ void __launch_bounds__(walker_threads)
    find_leaves(FeatureMatrixView rows, ForestImageView image, std::int32_t* out) {
  const std::size_t row = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows.rows) return;
  for (std::int32_t t = 0; t < image.tree_count; ++t) {
    out[row * image.tree_count + t] = leaf_of(image, t, rows.row(row));
  }
}

}  // namespace
}  // namespace tidemark
