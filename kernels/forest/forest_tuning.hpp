// Tuning numbers of the forest kernels, one named struct per GPU generation. They change speed,
// never a bit. Derived from the sizes of shared memory; not measured yet.
#pragma once

#include <cstdint>

namespace tidemark {

struct ForestTuning {
  int threads_max;            // of a block: 256, 128 or 64
  std::uint32_t stage_bytes;  // trees that a block holds at a time; a larger tree is a stage alone
  int blocks_per_sm;          // that should fit, so that one copies while the other walks
  std::uint32_t chunk_rows;   // rows in flight on one stream
};

/// Shared memory of a multiprocessor: 64 KB on sm_75, 164 on sm_80, 100 on sm_86 and 89, 228 later.
constexpr ForestTuning forest_tuning_of(int compute_capability) {
  if (compute_capability >= 90) return {256, 32 * 1024, 2, 256 * 1024};
  if (compute_capability >= 86) return {256, 16 * 1024, 2, 128 * 1024};
  if (compute_capability >= 80) return {256, 16 * 1024, 2, 256 * 1024};
  return {128, 16 * 1024, 1, 64 * 1024};
}

}  // namespace tidemark
