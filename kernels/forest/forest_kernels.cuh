// The forest on the device: rows become byte codes in tiles, a block walks its tile through every
// tree in order and keeps the sums in registers. Kernels only; device_forest.cu is their one user
// and owns all memory. Nothing here depends on the launch: every row's sum is one thread's, in tree
// order.
#pragma once

#include <cuda_pipeline_primitives.h>

#include <cstddef>
#include <cstdint>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/forest/forest_body.hpp"
#include "kernels/forest/forest_codes.hpp"

namespace tidemark {
namespace {

constexpr int rows_per_thread_max = 4;  // one byte each of a 32-bit word of the tile
constexpr int linked_steps = 4;         // down a linked tree between asking who still moves
constexpr int quantise_threads = 256;
constexpr int walker_threads = 128;
constexpr int few_threads = 512;

struct QuantiseArguments {
  FeatureMatrixView rows;
  ForestImageView image;  // for category sets
  const CodeFeature* features;
  const CodeChunk* chunks;
  const float* cuts;
  std::uint32_t* codes;  // [tile][feature][thread]; byte r of a word: row r * threads + thread
  std::uint32_t feature_count, threads, groups;  // a group is 32 words of every feature
};

/// Blocks of one y code one chunk of features for every gridDim.x-th group of 32 x kRows rows. The
/// chunk's cuts stay in shared memory. Columns pass through it, read along rows and used down
/// columns; 33 floats a row keep both free of bank conflicts.
template <int kRows>
__global__ void __launch_bounds__(quantise_threads) quantise(const QuantiseArguments a) {
  __shared__ float values[32 * kRows][code_chunk_columns + 1];
  extern __shared__ __align__(16) unsigned char memory[];
  float* const cuts = reinterpret_cast<float*>(memory);
  constexpr std::uint32_t warps = quantise_threads / 32;
  const std::uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const CodeChunk chunk = a.chunks[blockIdx.y], next = a.chunks[blockIdx.y + 1];
  for (std::uint32_t i = threadIdx.x; i < next.cut_begin - chunk.cut_begin; i += blockDim.x) {
    cuts[i] = a.cuts[chunk.cut_begin + i];
  }
  for (std::uint32_t group = blockIdx.x; group < a.groups; group += gridDim.x) {
    const std::uint32_t tile = group / (a.threads / 32);
    const std::uint32_t thread = group % (a.threads / 32) * 32;
    const std::size_t first_row = static_cast<std::size_t>(tile) * a.threads * kRows + thread;
    const std::uint32_t column = chunk.column_begin + lane;
    __syncthreads();  // the cuts are there; nobody reads the last group's values any more
    for (std::uint32_t i = warp; i < 32 * kRows; i += warps) {
      const std::size_t row = first_row + static_cast<std::size_t>(i / 32) * a.threads + i % 32;
      const bool inside = row < a.rows.rows && column < a.rows.features;
      values[i][lane] = inside ? a.rows.row(row)[column] : 0.0f;
    }
    __syncthreads();
    for (std::uint32_t f = chunk.feature_begin + warp; f < next.feature_begin; f += warps) {
      const CodeFeature feature = a.features[f];
      float x[kRows];
      std::uint32_t found[kRows], word = 0;
      for (int r = 0; r < kRows; ++r) {
        x[r] = values[r * 32 + lane][feature.column - chunk.column_begin];
      }
      find_codes<kRows>(feature, cuts + (feature.begin - chunk.cut_begin), a.image, x, found);
      for (int r = 0; r < kRows; ++r) word |= found[r] << (8 * r);
      const std::size_t column_of_words = static_cast<std::size_t>(tile) * a.feature_count + f;
      a.codes[column_of_words * a.threads + thread + lane] = word;
    }
  }
}

/// Number: float64 or float32, the arithmetic of the forest's sums.
struct WalkArguments {
  const std::uint32_t* codes;
  const CodeStage* directory;
  const unsigned char* stages;
  const double* base;  // what each output's sum begins with
  double* out;         // rows x outputs
  std::size_t rows;
  std::uint32_t tile_bytes, stage_bytes;  // in shared memory: the tile, then two stages
  std::int32_t stage_count, outputs;
};

/// Begins a copy into shared memory by all threads of the block; since sm_80 it runs beside what
/// they do next. `bytes` is a multiple of 16.
__device__ void begin_copy(unsigned char* to, const void* from, std::uint32_t bytes) {
  for (std::uint32_t i = threadIdx.x * 16; i < bytes; i += blockDim.x * 16) {
    __pipeline_memcpy_async(to + i, static_cast<const unsigned char*>(from) + i, 16);
  }
}

/// Walks kRows rows of a thread down one linked tree; `at` ends at their leaves. Leaves lead to
/// themselves, so lanes may take steps too many, and the warp is done once none of its rows moves.
template <int kRows>
__device__ void walk_linked(const unsigned char* memory, std::uint32_t tree, std::int32_t depth,
                            std::uint32_t lane, std::uint32_t (&at)[kRows]) {
  const std::uint32_t row_bytes = blockDim.x * 4;
  for (int r = 0; r < kRows; ++r) at[r] = 1;
  for (; depth > 0; depth -= linked_steps) {
    std::uint32_t before[kRows];
    for (int r = 0; r < kRows; ++r) before[r] = at[r];
#pragma unroll
    for (int step = 0; step < linked_steps; ++step) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) at[r] = code_step(memory, tree, at[r], row_bytes, lane + r);
    }
    bool moved = false;
    for (int r = 0; r < kRows; ++r) moved |= at[r] != before[r];
    if (!__any_sync(0xffffffffu, moved)) return;
  }
}

/// The first two levels of a perfect tree for kRows rows of a thread. All rows ask the root, so one
/// read of its word has the codes of all, and one wide read has the three nodes.
template <int kRows>
__device__ void walk_top(const unsigned char* memory, uint4 top, std::uint32_t lane,
                         std::uint32_t (&at)[kRows]) {
  const std::uint32_t word =
      *reinterpret_cast<const std::uint32_t*>(memory + ((top.y & (code_offset_end - 1)) | lane));
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    at[r] = code_turn(top.y, word >> (8 * r) & 0xff, 1);
    const std::uint32_t node = at[r] & 1 ? top.w : top.z;
    at[r] = code_turn(node, memory[(node & (code_offset_end - 1)) | (lane + r)], at[r]);
  }
}

/// Walks the trees of one stage and gives each row's leaf to `add`(row of the thread, output,
/// value), in tree order. `stage` is where it lies in `memory`.
template <class Number, int kRows, int kLevels, class Add>
__device__ void walk_stage(const unsigned char* memory, std::uint32_t stage, std::int32_t trees,
                           std::uint32_t lane, Add&& add) {
  if constexpr (kLevels > 0) {
    for (; trees > 0; --trees, stage += perfect_bytes(kLevels, sizeof(Number))) {
      const uint4 top = *reinterpret_cast<const uint4*>(memory + stage);
      std::uint32_t at[kRows];
      walk_top<kRows>(memory, top, lane, at);
#pragma unroll
      for (int level = 2; level < kLevels; ++level) {
#pragma unroll
        for (int r = 0; r < kRows; ++r) at[r] = perfect_step(memory, stage, at[r], lane + r);
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const std::uint32_t value = perfect_value(kLevels, sizeof(Number), stage, at[r]);
        add(r, top.x, *reinterpret_cast<const Number*>(memory + value));
      }
    }
  } else {
    for (std::int32_t t = 0; t < trees; ++t) {
      const CodeTree tree = reinterpret_cast<const CodeTree*>(memory + stage)[t];
      std::uint32_t at[kRows];
      walk_linked<kRows>(memory, stage + tree.root, tree.depth, lane, at);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const std::uint32_t value = stage + static_cast<std::uint32_t>(sizeof(Number)) * at[r] +
                                    static_cast<std::uint32_t>(tree.value_bias);
        add(r, static_cast<std::uint32_t>(tree.output),
            *reinterpret_cast<const Number*>(memory + value));
      }
    }
  }
}

/// A block per tile. Trees pass through shared memory stage by stage, the next one on its way while
/// one is walked; each thread adds its rows' leaves in tree order, so no sum is shared and none
/// depends on the launch.
template <class Number, int kRows, bool kSingle, int kLevels>
__global__ void __launch_bounds__(256) walk_codes(const WalkArguments a) {
  extern __shared__ __align__(16) unsigned char memory[];
  const std::size_t first_row =
      static_cast<std::size_t>(blockIdx.x) * blockDim.x * kRows + threadIdx.x;
  const std::uint32_t lane = threadIdx.x * 4;
  begin_copy(memory, a.codes + static_cast<std::size_t>(blockIdx.x) * (a.tile_bytes / 4),
             a.tile_bytes);
  if (a.stage_count > 0) begin_copy(memory + a.tile_bytes, a.stages, a.directory[0].bytes);
  __pipeline_commit();
  Number sum[kRows];
  for (int r = 0; r < kRows; ++r) sum[r] = kSingle ? static_cast<Number>(a.base[0]) : Number{0};
  if constexpr (!kSingle) {
    // A row belongs to one thread, so its outputs can be summed where they will be read.
    for (int r = 0; r < kRows; ++r) {
      const std::size_t row = first_row + static_cast<std::size_t>(r) * blockDim.x;
      if (row >= a.rows) continue;
      for (std::int32_t o = 0; o < a.outputs; ++o) a.out[row * a.outputs + o] = a.base[o];
    }
  }
  for (std::int32_t s = 0; s < a.stage_count; ++s) {
    __pipeline_wait_prior(0);
    __syncthreads();  // the stage is there, and no thread reads the one before any more
    if (s + 1 < a.stage_count) {
      const CodeStage next = a.directory[s + 1];
      begin_copy(memory + a.tile_bytes + (s + 1) % 2 * a.stage_bytes, a.stages + next.begin,
                 next.bytes);
      __pipeline_commit();
    }
    walk_stage<Number, kRows, kLevels>(
        memory, a.tile_bytes + s % 2 * a.stage_bytes, a.directory[s].trees, lane,
        [&](int r, std::uint32_t output, Number value) {
          if constexpr (kSingle) {
            sum[r] += value;
          } else {
            const std::size_t row = first_row + static_cast<std::size_t>(r) * blockDim.x;
            if (row >= a.rows) return;
            double& of_row = a.out[row * a.outputs + output];
            of_row = static_cast<Number>(of_row) + value;
          }
        });
  }
  if constexpr (kSingle) {
    for (int r = 0; r < kRows; ++r) {
      const std::size_t row = first_row + static_cast<std::size_t>(r) * blockDim.x;
      if (row < a.rows) a.out[row] = sum[r];
    }
  }
}

/// Few rows: a block per row and a thread per tree, straight from the image; then one thread per
/// output adds the leaves in tree order.
__global__ void __launch_bounds__(few_threads)
    score_few(FeatureMatrixView rows, ForestImageView image, double* out) {
  __shared__ double values[few_threads];
  __shared__ std::int32_t outputs[few_threads];
  const float* const row = rows.row(blockIdx.x);
  double* const scores = out + static_cast<std::size_t>(blockIdx.x) * image.outputs;
  for (std::int32_t o = threadIdx.x; o < image.outputs; o += few_threads) scores[o] = image.base[o];
  for (std::int32_t begin = 0; begin < image.tree_count; begin += few_threads) {
    const std::int32_t count = min(few_threads, image.tree_count - begin);
    const std::int32_t t = begin + static_cast<std::int32_t>(threadIdx.x);
    if (t < image.tree_count) {
      const ForestImageTree tree = image.trees[t];
      outputs[threadIdx.x] = tree.output;
      values[threadIdx.x] = image.leaf_values[tree.leaf_begin + leaf_of(image, t, row)];
    }
    __syncthreads();
    for (std::int32_t o = threadIdx.x; o < image.outputs; o += few_threads) {
      double sum = scores[o];
      for (std::int32_t i = 0; i < count; ++i) {
        if (outputs[i] == o) sum = add_leaf(image.sum, sum, values[i]);
      }
      scores[o] = sum;
    }
    __syncthreads();
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
