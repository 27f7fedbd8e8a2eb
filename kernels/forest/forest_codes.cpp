// Builds ForestCodes: distinct cuts per column and missing rule, the shape of a block, and by
// forest_stages the trees. Runs once at load on one thread.
#include "kernels/forest/forest_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <tuple>
#include <utility>

#include "kernels/forest/forest_stages.hpp"

namespace tidemark {
namespace {

/// What decides which nodes can share a code: the column, its missing rule, or the category set.
struct FeatureKey {
  std::uint32_t column = 0;
  MissingCode missing = MissingCode::right;
  bool zero_missing = false;
  bool categorical = false;
  std::vector<std::uint32_t> set;  // its words
  float above = 0;                 // of the set, as is
  std::uint32_t missing_left = 0;
  bool operator<(const FeatureKey& other) const { return tie() < other.tie(); }

 private:
  std::tuple<const std::uint32_t&, const MissingCode&, const bool&, const bool&,
             const std::vector<std::uint32_t>&, const float&, const std::uint32_t&>
  tie() const {
    return {column, missing, zero_missing, categorical, set, above, missing_left};
  }
};

struct FeatureUse {
  std::vector<float> cuts;  // ascending, distinct
  std::uint32_t set_index = 0;
  std::uint32_t first = 0;  // its first CodeFeature; one for every 254 cuts
};

struct Builder {
  const ForestImage& image;
  std::vector<bool> column_as_zero;  // every node sends NaN where it sends 0.0
  std::map<FeatureKey, FeatureUse> uses;
  ForestCodes codes;

  explicit Builder(const ForestImage& from) : image(from) {}

  FeatureKey key_of(const ForestImageNode& node) const {
    FeatureKey key;
    key.column = node.column_flags & node_column_mask;
    if (node.column_flags & node_categorical) {
      const CategorySet set = image.category_sets[static_cast<std::uint32_t>(node.cut)];
      const auto begin = image.category_words.begin() + set.begin;
      key.set.assign(begin, begin + set.words);
      key.above = set.above;
      key.missing_left = set.missing_left;
      key.categorical = true;
      return key;
    }
    key.zero_missing = (node.column_flags & node_zero_missing) != 0;
    const bool left = (node.column_flags & node_missing_left) != 0;
    key.missing = column_as_zero[key.column] ? MissingCode::as_zero
                  : left                     ? MissingCode::left
                                             : MissingCode::right;
    return key;
  }

  /// Models that never saw a missing value read it as zero; one code then serves both sides.
  void find_columns_as_zero() {
    std::uint32_t columns = 0;
    for (const auto& node : image.nodes) {
      columns = std::max(columns, (node.column_flags & node_column_mask) + 1);
    }
    column_as_zero.assign(columns, true);
    for (const auto& node : image.nodes) {
      if (node.column_flags & node_categorical) continue;
      const bool left = (node.column_flags & node_missing_left) != 0;
      if ((node.column_flags & node_zero_missing) || left != (0.0f <= node.cut)) {
        column_as_zero[node.column_flags & node_column_mask] = false;
      }
    }
  }

  void collect_cuts() {
    for (const auto& node : image.nodes) {
      FeatureUse& use = uses[key_of(node)];
      if (node.column_flags & node_categorical) {
        use.set_index = static_cast<std::uint32_t>(node.cut);
      } else {
        use.cuts.push_back(node.cut);
      }
    }
    for (auto& [key, use] : uses) {
      std::sort(use.cuts.begin(), use.cuts.end());
      use.cuts.erase(std::unique(use.cuts.begin(), use.cuts.end()), use.cuts.end());
    }
  }

  void make_features() {
    for (auto& [key, use] : uses) {
      use.first = static_cast<std::uint32_t>(codes.features.size());
      CodeFeature feature;
      feature.column = key.column;
      feature.missing = key.missing;
      feature.zero_missing = key.zero_missing;
      feature.categorical = key.categorical;
      if (key.categorical) {
        feature.begin = use.set_index;
        add_feature(feature);
        continue;
      }
      for (std::size_t from = 0; from < use.cuts.size(); from += code_cuts_max) {
        const std::size_t count = std::min<std::size_t>(code_cuts_max, use.cuts.size() - from);
        feature.begin = static_cast<std::uint32_t>(codes.cuts.size());
        feature.steps = 0;
        while ((1u << feature.steps) - 1 < count) ++feature.steps;
        add_feature(feature);
        add_cuts({use.cuts.data() + from, count}, feature.steps);
      }
    }
    codes.chunks.push_back({static_cast<std::uint32_t>(codes.features.size()), 0,
                            static_cast<std::uint32_t>(codes.cuts.size())});
  }

  /// Opens a new chunk where the feature does not fit the last one.
  void add_feature(const CodeFeature& feature) {
    const std::size_t cuts = codes.cuts.size();
    const std::size_t more = feature.categorical ? 0 : std::size_t{1} << feature.steps;
    const CodeChunk* const last = codes.chunks.empty() ? nullptr : &codes.chunks.back();
    if (last == nullptr || feature.column >= last->column_begin + code_chunk_columns ||
        cuts + more > last->cut_begin + code_chunk_cuts) {
      const std::uint32_t column = feature.column / code_chunk_columns * code_chunk_columns;
      codes.chunks.push_back({static_cast<std::uint32_t>(codes.features.size()), column,
                              static_cast<std::uint32_t>(cuts)});
    }
    codes.features.push_back(feature);
  }

  /// `sorted` as a search tree: in the order of its nodes, the middle of every range first.
  void add_cuts(std::span<const float> sorted, int steps) {
    const std::size_t begin = codes.cuts.size(), size = std::size_t{1} << steps;
    codes.cuts.resize(begin + size, std::numeric_limits<float>::infinity());
    for (std::size_t at = 1; at < size; ++at) {
      // Level l has nodes [2^l, 2^(l+1)); between two of them lie `size >> l` places.
      std::size_t level = 0;
      while (at >> (level + 1) != 0) ++level;
      const std::size_t stride = size >> level;
      const std::size_t place = (at - (std::size_t{1} << level)) * stride + stride / 2 - 1;
      if (place < sorted.size()) codes.cuts[begin + at] = sorted[place];
    }
  }

  CodeTest test_of(const ForestImageNode& node) const {
    const FeatureUse& use = uses.at(key_of(node));
    if (node.column_flags & node_categorical) return {use.first, 0};
    const auto rank = static_cast<std::uint32_t>(
        std::lower_bound(use.cuts.begin(), use.cuts.end(), node.cut) - use.cuts.begin());
    return {use.first + rank / code_cuts_max, rank % code_cuts_max};
  }
};

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
  const bool ordered = std::all_of(image.nodes.begin(), image.nodes.end(), [](const auto& node) {
    return (node.column_flags & node_categorical) || !std::isnan(node.cut);
  });
  if (!ordered) {
    why = "a cut that no value passes";
    return std::nullopt;
  }
  Builder builder(image);
  builder.find_columns_as_zero();
  builder.collect_cuts();
  builder.make_features();
  ForestCodes& codes = builder.codes;
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
  const auto test_of = [&](const ForestImageNode& node) { return builder.test_of(node); };
  if (!make_code_stages(image, test_of, shape.stage_bytes, codes)) {
    why = "a tree larger than a stage in shared memory";
    return std::nullopt;
  }
  return std::move(codes);
}

}  // namespace tidemark
