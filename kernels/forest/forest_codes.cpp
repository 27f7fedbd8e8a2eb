// Builds ForestCodes: distinct cuts per column and missing rule, ranks in the nodes, breadth-first
// trees, stages. Runs once at load on one thread.
#include "kernels/forest/forest_codes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

namespace tidemark {
namespace {

/// What decides which nodes can share a code: the column, its missing rule, or the category set.
struct FeatureKey {
  std::uint32_t column = 0;
  MissingCode missing = MissingCode::right;
  bool zero_missing = false;
  std::vector<std::uint32_t> set;  // categorical: its words
  bool categorical = false;
  bool operator<(const FeatureKey& other) const {
    return std::tie(column, missing, zero_missing, categorical, set) <
           std::tie(other.column, other.missing, other.zero_missing, other.categorical, other.set);
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
        codes.features.push_back(feature);
        continue;
      }
      for (std::size_t from = 0; from < use.cuts.size(); from += code_cuts_max) {
        const std::size_t count = std::min<std::size_t>(code_cuts_max, use.cuts.size() - from);
        feature.begin = static_cast<std::uint32_t>(codes.cuts.size());
        feature.steps = 0;
        while ((1u << feature.steps) - 1 < count) ++feature.steps;
        codes.cuts.insert(codes.cuts.end(), use.cuts.begin() + static_cast<std::ptrdiff_t>(from),
                          use.cuts.begin() + static_cast<std::ptrdiff_t>(from + count));
        codes.cuts.resize(feature.begin + (1u << feature.steps) - 1,
                          std::numeric_limits<float>::infinity());
        codes.features.push_back(feature);
      }
    }
    std::uint32_t at = 0;
    const auto columns = static_cast<std::uint32_t>(column_as_zero.size());
    for (std::uint32_t column = 0; column < columns; column += code_chunk_columns) {
      while (at < codes.features.size() && codes.features[at].column < column) ++at;
      codes.chunk_begin.push_back(at);
    }
    codes.chunk_begin.push_back(static_cast<std::uint32_t>(codes.features.size()));
  }

  /// Rank and tile offset of a node, without the distance to its children.
  std::uint32_t test_of(const ForestImageNode& node) const {
    const FeatureUse& use = uses.at(key_of(node));
    std::size_t rank = 0;
    std::uint32_t feature = use.first;
    if (!(node.column_flags & node_categorical)) {
      rank = static_cast<std::size_t>(std::lower_bound(use.cuts.begin(), use.cuts.end(), node.cut) -
                                      use.cuts.begin());
      feature += static_cast<std::uint32_t>(rank / code_cuts_max);
      rank %= code_cuts_max;
    }
    return static_cast<std::uint32_t>(rank) |
           feature * static_cast<std::uint32_t>(codes.threads) * 4;
  }

  struct PackedTree {
    CodeTree header;
    std::vector<std::uint32_t> nodes;
    std::vector<double> values;  // from the first leaf on
    std::size_t first_leaf = 0;
  };

  bool pack(const ForestImageTree& tree, PackedTree& packed) const {
    packed.header.depth = tree.depth;
    packed.header.output = tree.output;
    std::vector<std::int32_t> queue{tree.root};  // breadth first: a level is a run of banks
    for (std::size_t i = 0; i < queue.size(); ++i) {
      if (queue[i] < 0) {
        packed.nodes.push_back(code_leaf);
        continue;
      }
      const ForestImageNode& node = image.nodes[static_cast<std::size_t>(queue[i])];
      const std::size_t distance = queue.size() - i;
      if (distance > code_node_distance_max) return false;
      packed.nodes.push_back(test_of(node) | static_cast<std::uint32_t>(distance)
                                                 << code_node_distance_shift);
      queue.push_back(node.child[0]);
      queue.push_back(node.child[1]);
    }
    while (queue[packed.first_leaf] >= 0) ++packed.first_leaf;
    for (std::size_t i = packed.first_leaf; i < queue.size(); ++i) {
      packed.values.push_back(
          queue[i] >= 0 ? 0.0
                        : image.leaf_values[static_cast<std::size_t>(tree.leaf_begin + ~queue[i])]);
    }
    return true;
  }

  static std::uint32_t bytes_of(const PackedTree& tree) {
    const std::size_t nodes = (tree.nodes.size() * 4 + 15) / 16 * 16;
    const std::size_t values = (tree.values.size() * 8 + 15) / 16 * 16;
    return static_cast<std::uint32_t>(sizeof(CodeTree) + nodes + values);
  }

  void add_stage(std::vector<PackedTree>& trees) {
    if (trees.empty()) return;
    CodeStage stage;
    stage.begin = static_cast<std::uint32_t>(codes.stages.size());
    stage.trees = static_cast<std::int32_t>(trees.size());
    for (const auto& tree : trees) stage.bytes += bytes_of(tree);
    codes.stages.resize(stage.begin + stage.bytes);
    unsigned char* const to = codes.stages.data() + stage.begin;
    auto at = static_cast<std::uint32_t>(trees.size() * sizeof(CodeTree));
    for (std::size_t t = 0; t < trees.size(); ++t) {
      PackedTree& tree = trees[t];
      tree.header.root = at;
      std::memcpy(to + at, tree.nodes.data(), tree.nodes.size() * 4);
      at += static_cast<std::uint32_t>((tree.nodes.size() * 4 + 15) / 16 * 16);
      const auto leaf_at = tree.header.root + static_cast<std::uint32_t>(tree.first_leaf * 4);
      tree.header.value_bias = static_cast<std::int32_t>(at - 2 * leaf_at);
      std::memcpy(to + at, tree.values.data(), tree.values.size() * 8);
      at += static_cast<std::uint32_t>((tree.values.size() * 8 + 15) / 16 * 16);
      std::memcpy(to + t * sizeof(CodeTree), &tree.header, sizeof(CodeTree));
    }
    codes.directory.push_back(stage);
    codes.stage_bytes_max = std::max(codes.stage_bytes_max, stage.bytes);
    trees.clear();
  }

  bool make_stages(std::uint32_t stage_bytes) {
    std::vector<PackedTree> open;
    std::uint32_t open_bytes = 0;
    for (const auto& tree : image.trees) {
      PackedTree packed;
      if (!pack(tree, packed)) return false;
      const std::uint32_t bytes = bytes_of(packed);
      if (open_bytes + bytes > stage_bytes) {
        add_stage(open);
        open_bytes = 0;
      }
      open.push_back(std::move(packed));
      open_bytes += bytes;
    }
    add_stage(open);
    return true;
  }
};

/// Threads of a block, the most that leave room for the tile and a stage in the shared memory of
/// one of `blocks` blocks; 0 when not even the narrowest tile fits.
int choose_threads(std::size_t features, const ForestTuning& tuning, std::uint32_t shared_bytes) {
  for (int threads = tuning.threads_max; threads >= 64; threads /= 2) {
    const std::size_t tile = features * static_cast<std::size_t>(threads) * 4;
    const bool addressable = tile <= code_node_offset + 256;
    if (addressable && tile + tuning.stage_bytes <= shared_bytes) return threads;
  }
  return 0;
}

}  // namespace

std::optional<ForestCodes> make_forest_codes(const ForestImage& image, const ForestTuning& tuning,
                                             std::uint32_t shared_bytes_max, std::string& why) {
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
  const auto share = shared_bytes_max / static_cast<std::uint32_t>(tuning.blocks_per_sm);
  codes.threads = choose_threads(codes.features.size(), tuning, share);
  if (codes.threads == 0) {
    codes.threads = choose_threads(codes.features.size(), tuning, shared_bytes_max);
  }
  if (codes.threads == 0) {
    why = "more distinct tests than a tile in shared memory holds";
    return std::nullopt;
  }
  const std::size_t tile = codes.features.size() * static_cast<std::size_t>(codes.threads) * 4;
  if (!builder.make_stages(tuning.stage_bytes) || tile + codes.stage_bytes_max > shared_bytes_max) {
    why = "a tree larger than a stage in shared memory";
    return std::nullopt;
  }
  return std::move(codes);
}

}  // namespace tidemark
