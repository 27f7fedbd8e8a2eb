// The bit-sliced kernel for one block of rows, chosen for the machine at run time. A block is as
// many rows as a vector has bits: 512 with AVX-512, 256 with AVX2. Called by the CPU scorer, one
// scratch a thread; allocates nothing.
#pragma once

#include <hwy/aligned_allocator.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/forest/bit_forest.hpp"
#include "kernels/forest/forest_image.hpp"
#include "kernels/forest/lane_forest.hpp"

namespace tidemark {

/// Working memory of one thread for one forest.
struct BitScratch {
  BitScratch(const BitForest& forest, std::size_t block_rows);
  std::size_t column_stride = 0;                    // floats from one source column to the next
  hwy::AlignedFreeUniquePtr<float[]> columns;       // sources x stride: the block, transposed
  hwy::AlignedFreeUniquePtr<std::uint8_t[]> masks;  // mask_count x block_rows / 8
  hwy::AlignedFreeUniquePtr<std::uint8_t[]> codes;  // trees_at_once x block_rows: leaf codes
  hwy::AlignedFreeUniquePtr<double[]> sums;         // block_rows, in the forest's arithmetic:
  hwy::AlignedFreeUniquePtr<float[]> sums32;        // one of the two is used
};

/// Trees whose leaves are added in one pass over the sums.
inline constexpr std::size_t trees_at_once = 4;

/// One block. Exactly one of `scores` and `leaves` is set.
struct BitBlock {
  const BitForest& forest;
  const std::vector<std::uint32_t>& offsets;  // forest.positions in bytes of the mask array
  ForestImageView image;
  FeatureMatrixView rows;          // at most block_rows
  double* scores = nullptr;        // rows x outputs
  std::int32_t* leaves = nullptr;  // rows x trees
  BitScratch& scratch;
};

/// Rows that the kernel of few rows takes at once, and positions of the widest trees.
inline constexpr std::size_t lane_rows = 2;
inline constexpr std::size_t lane_positions_max = (std::size_t{1} << lane_levels_max) - 1;

/// Working memory of one thread for the kernel of few rows.
struct LaneScratch {
  LaneScratch();
  hwy::AlignedFreeUniquePtr<std::uint8_t[]> codes;  // lane_rows x lane_features_max
  hwy::AlignedFreeUniquePtr<std::uint8_t[]> masks;  // lane_rows x lane_positions_max x 64
};

/// Any number of rows, a few at a time.
struct LaneBlock {
  const LaneForest& forest;
  const std::vector<std::uint32_t>& offsets;  // of the positions' masks, in bytes
  ForestImageView image;
  FeatureMatrixView rows;
  double* scores;  // rows x outputs
  LaneScratch& scratch;
};

struct BitKernel {
  const char* isa;
  std::size_t block_rows;
  LeafTables tables;  // that its forests must have
  void (*run)(const BitBlock& block);
  void (*run_lanes)(const LaneBlock& block);  // null where the machine has no VBMI
};

/// The widest kernel that this machine can run, or the one that `limit_bit_kernel` named.
BitKernel choose_bit_kernel();

/// Instruction sets that there are kernels for and that this machine has, the widest first.
std::vector<std::string> bit_kernel_isas();

/// Scorers that are made from now on use no wider instruction set than this one; an empty name
/// takes the limit back. For tests and benchmarks: not while another thread makes a scorer. Throws
/// UsageError where it is none of `bit_kernel_isas`.
void limit_bit_kernel(std::string_view isa);

}  // namespace tidemark
