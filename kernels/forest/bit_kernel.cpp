// The bit-sliced kernel: compiled once per instruction set by Highway's foreach_target, the widest
// one that the machine has is taken at run time. The stages are in bit_masks-inl.hpp (rows to
// masks) and bit_leaves-inl.hpp (masks to leaves and sums).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/forest/bit_kernel.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/base/failure.hpp"
#include "kernels/forest/bit_kernel.hpp"
#include "kernels/forest/bit_leaves-inl.hpp"
#include "kernels/forest/bit_masks-inl.hpp"
#include "kernels/forest/lane_kernel-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tidemark {
namespace HWY_NAMESPACE {

void run_block(const BitBlock& block) {
  transpose(block);
  for (const BitColumn& column : block.forest.columns) column_masks(block, column);
  set_masks(block);
  if (block.scores == nullptr) {
    write_leaves(block);
  } else if (block.forest.sum == SumKind::float64) {
    add_scores<double>(block);
  } else {
    add_scores<float>(block);
  }
}

void run_few(const LaneBlock& block) {
  run_lanes(block);
}
bool has_lanes() {
  return kHasLanes;
}
std::size_t block_rows() {
  return kRows;
}
LeafTables leaf_tables() {
  return kLeafTables;
}
const char* isa_name() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace HWY_NAMESPACE
}  // namespace tidemark
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tidemark {

HWY_EXPORT(run_block);
HWY_EXPORT(run_few);
HWY_EXPORT(has_lanes);
HWY_EXPORT(block_rows);
HWY_EXPORT(leaf_tables);
HWY_EXPORT(isa_name);

BitScratch::BitScratch(const BitForest& forest, std::size_t block_rows)
    // The odd line keeps columns from falling onto the same cache set.
    : column_stride(block_rows + 16),
      columns(hwy::AllocateAligned<float>((forest.sources.size() + 1) * column_stride)),
      masks(hwy::AllocateAligned<std::uint8_t>((forest.mask_count + 1) * (block_rows / 8))),
      codes(hwy::AllocateAligned<std::uint8_t>(trees_at_once * block_rows)),
      sums(hwy::AllocateAligned<double>(block_rows)),
      sums32(hwy::AllocateAligned<float>(block_rows)) {
  std::fill_n(columns.get(), (forest.sources.size() + 1) * column_stride, 0.0f);
  std::fill_n(masks.get(), (forest.mask_count + 1) * (block_rows / 8), std::uint8_t{0});
}

LaneScratch::LaneScratch()
    : codes(hwy::AllocateAligned<std::uint8_t>(lane_rows * lane_features_max)),
      masks(hwy::AllocateAligned<std::uint8_t>(lane_rows * lane_positions_max * 64)) {
  std::fill_n(codes.get(), lane_rows * lane_features_max, std::uint8_t{0});
}

BitKernel choose_bit_kernel() {
  return {HWY_DYNAMIC_DISPATCH(isa_name)(), HWY_DYNAMIC_DISPATCH(block_rows)(),
          HWY_DYNAMIC_DISPATCH(leaf_tables)(), HWY_DYNAMIC_DISPATCH(run_block),
          HWY_DYNAMIC_DISPATCH(has_lanes)() ? HWY_DYNAMIC_DISPATCH(run_few) : nullptr};
}

std::vector<std::string> bit_kernel_isas() {
  std::vector<std::string> names;
  // Highway numbers wider instruction sets lower.
  std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  std::sort(targets.begin(), targets.end());
  for (const std::int64_t target : targets) names.push_back(hwy::TargetName(target));
  return names;
}

void limit_bit_kernel(std::string_view isa) {
  hwy::SetSupportedTargetsForTest(0);  // what the machine has
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  if (isa.empty()) return;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (isa != hwy::TargetName(target)) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    return;
  }
  std::string names;
  for (const std::string& name : bit_kernel_isas()) names += (names.empty() ? "" : ", ") + name;
  throw UsageError("instruction set '" + std::string(isa) + "' is none of " + names);
}

}  // namespace tidemark
#endif
