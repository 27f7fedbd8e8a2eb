// Tuning numbers of the forest kernels, one named struct per GPU generation. They change speed,
// never a bit. Those of sm_90 were measured on an H100 (docs/gpu.md), the others follow from the
// sizes of shared memory.
#pragma once

#include <cstdint>

namespace tidemark {

struct ForestTuning {
  int threads_max;            // of a block: 256, 128 or 64
  int threads_resident;       // of a multiprocessor; more do not make it faster
  std::uint32_t stage_bytes;  // trees that a block holds at a time; a larger tree is a stage alone
  std::uint32_t chunk_rows;   // rows in flight on one stream
  std::uint32_t few_rows;     // for each multiprocessor: up to so many get a block each
};

/// Shared memory of a multiprocessor: 64 KB on sm_75, 164 on sm_80, 100 on sm_86 and 89, 228 later.
constexpr ForestTuning forest_tuning_of(int compute_capability) {
  if (compute_capability >= 90) return {256, 512, 24 * 1024, 256 * 1024, 24};
  if (compute_capability >= 86) return {256, 256, 12 * 1024, 128 * 1024, 24};
  if (compute_capability >= 80) return {256, 512, 16 * 1024, 256 * 1024, 24};
  return {128, 128, 12 * 1024, 64 * 1024, 24};
}

}  // namespace tidemark
