// Builds ForestCodes: columns, the shape of a block, and by forest_stages the trees. Runs once at
// load on one thread.
#include "kernels/forest/forest_codes.hpp"

#include <algorithm>

#include "kernels/forest/forest_stages.hpp"

namespace tidemark {
namespace {

/// A block's width and the bytes of a stage.
struct BlockShape {
  int threads = 0;
  std::uint32_t stage_bytes = 0;
};

/// The shape that keeps most threads on a multiprocessor, up to what the tuning asks for; among
/// equals the one with the largest stages. No threads where not even the narrowest block fits.
BlockShape choose_shape(std::size_t features, std::uint32_t largest_tree,
                        const ForestTuning& tuning, const SharedMemory& shared) {
  BlockShape best;
  int best_resident = 0;
  for (int threads = tuning.threads_max; threads >= 64; threads /= 2) {
    const std::size_t tile = features * static_cast<std::size_t>(threads) * 4;
    if (tile > code_offset_end) continue;
    for (int blocks = 1; blocks * threads <= tuning.threads_resident; ++blocks) {
      const std::uint32_t share =
          std::min(shared.multiprocessor / static_cast<std::uint32_t>(blocks) - shared.reserved,
                   shared.block_max);
      if (tile + 2 * std::size_t{largest_tree} > share) break;
      const auto room = (share - static_cast<std::uint32_t>(tile)) / 2 / 16 * 16;
      const std::uint32_t stage = std::max(std::min(room, tuning.stage_bytes), largest_tree);
      const int resident = blocks * threads;
      if (resident < best_resident || (resident == best_resident && stage <= best.stage_bytes)) {
        continue;
      }
      best = {threads, stage};
      best_resident = resident;
    }
  }
  return best;
}

}  // namespace

std::optional<ForestCodes> make_forest_codes(const ForestImage& image, const ForestTuning& tuning,
                                             const SharedMemory& shared, std::string& why) {
  if (!has_codes(image)) {
    why = "a cut that no value passes";
    return std::nullopt;
  }
  const CodeColumns columns(image);
  ForestCodes codes;
  codes.features = columns.features();
  codes.chunks = columns.chunks();
  codes.cuts = columns.cuts();
  codes.sum = image.sum;
  codes.levels = perfect_levels_of(image);
  const std::uint32_t largest = largest_tree_bytes(image, codes.levels, codes.value_bytes());
  const BlockShape shape = choose_shape(codes.features.size(), largest, tuning, shared);
  if (shape.threads == 0) {
    const bool tile_alone = choose_shape(codes.features.size(), 0, tuning, shared).threads > 0;
    why = tile_alone ? "a tree larger than a stage in shared memory"
                     : "more distinct tests than a tile in shared memory holds";
    return std::nullopt;
  }
  codes.threads = shape.threads;
  if (!make_code_stages(image, columns, shape.stage_bytes, codes)) {
    why = "a tree larger than a stage in shared memory";
    return std::nullopt;
  }
  return codes;
}

}  // namespace tidemark
