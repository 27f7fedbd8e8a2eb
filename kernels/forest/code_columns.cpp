// Finds the codes' columns: the distinct cuts of every column and missing rule, and the category
// sets. Runs once at load on one thread.
#include "kernels/forest/code_columns.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <tuple>
#include <unordered_map>
#include <utility>

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
  std::vector<std::uint64_t> nodes;  // whose test it is, as cut_sort_key
  std::vector<float> cuts;           // ascending, distinct
  std::uint32_t set_index = 0;
  std::uint32_t first = 0;  // its first CodeFeature; one for every 254 cuts
};

}  // namespace

struct CodeColumns::Impl {
  const ForestImage& image;
  std::vector<bool> column_as_zero;  // every node sends NaN where it sends 0.0
  std::map<FeatureKey, FeatureUse> uses;
  std::unordered_map<std::uint64_t, FeatureUse*> numeric;  // of `uses`, by what a key packs
  std::vector<CodeFeature> features;
  std::vector<CodeChunk> chunks;
  std::vector<float> cuts;
  std::vector<CodeTest> tests;  // by node

  explicit Impl(const ForestImage& from) : image(from) {}

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

  static std::uint64_t packed(const FeatureKey& key) {
    return std::uint64_t{key.column} << 3 | static_cast<std::uint64_t>(key.missing) << 1 |
           (key.zero_missing ? 1u : 0u);
  }

  FeatureUse& use_of(const ForestImageNode& node) {
    const FeatureKey key = key_of(node);
    if (key.categorical) return uses[key];
    FeatureUse*& use = numeric[packed(key)];
    if (use == nullptr) use = &uses[key];
    return *use;
  }

  void collect_cuts() {
    for (std::uint32_t n = 0; n < image.nodes.size(); ++n) {
      const ForestImageNode& node = image.nodes[n];
      FeatureUse& use = use_of(node);
      const bool categorical = (node.column_flags & node_categorical) != 0;
      if (categorical) use.set_index = static_cast<std::uint32_t>(node.cut);
      use.nodes.push_back(cut_sort_key(categorical ? 0.0f : node.cut, n));
    }
    for (auto& [key, use] : uses) {
      if (key.categorical) continue;
      std::sort(use.nodes.begin(), use.nodes.end());
      for_each_cut(use, [&use = use](std::uint32_t, float cut, bool fresh) {
        if (fresh) use.cuts.push_back(cut);
      });
    }
  }

  /// The nodes of a numeric feature by ascending cut; `fresh`: the first one of its cut.
  template <typename Visit>
  void for_each_cut(const FeatureUse& use, Visit&& visit) const {
    float last = 0;
    for (std::size_t i = 0; i < use.nodes.size(); ++i) {
      const auto n = static_cast<std::uint32_t>(use.nodes[i]);
      const float cut = image.nodes[n].cut;
      visit(n, cut, i == 0 || cut != last);
      last = cut;
    }
  }

  void make_features() {
    for (auto& [key, use] : uses) {
      use.first = static_cast<std::uint32_t>(features.size());
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
        feature.begin = static_cast<std::uint32_t>(cuts.size());
        feature.steps = 0;
        while ((1u << feature.steps) - 1 < count) ++feature.steps;
        add_feature(feature);
        append_search_tree({use.cuts.data() + from, count}, std::size_t{1} << feature.steps, cuts);
      }
    }
    chunks.push_back(
        {static_cast<std::uint32_t>(features.size()), 0, static_cast<std::uint32_t>(cuts.size())});
  }

  /// Opens a new chunk where the feature does not fit the last one.
  void add_feature(const CodeFeature& feature) {
    const std::size_t cut_count = cuts.size();
    const std::size_t more = feature.categorical ? 0 : std::size_t{1} << feature.steps;
    const CodeChunk* const last = chunks.empty() ? nullptr : &chunks.back();
    if (last == nullptr || feature.column >= last->column_begin + code_chunk_columns ||
        cut_count + more > last->cut_begin + code_chunk_cuts) {
      const std::uint32_t column = feature.column / code_chunk_columns * code_chunk_columns;
      chunks.push_back({static_cast<std::uint32_t>(features.size()), column,
                        static_cast<std::uint32_t>(cut_count)});
    }
    features.push_back(feature);
  }

  void make_tests() {
    tests.resize(image.nodes.size());
    for (const auto& [key, use] : uses) {
      if (key.categorical) {
        for (const std::uint64_t n : use.nodes)
          tests[static_cast<std::uint32_t>(n)] = {use.first, 0};
        continue;
      }
      std::uint32_t begun = 0;  // cuts
      for_each_cut(use, [&, first = use.first](std::uint32_t n, float, bool fresh) {
        begun += fresh ? 1 : 0;
        const std::uint32_t rank = begun - 1;
        tests[n] = {first + rank / code_cuts_max, rank % code_cuts_max};
      });
    }
  }
};

CodeColumns::CodeColumns(const ForestImage& image) : impl_(std::make_unique<Impl>(image)) {
  impl_->find_columns_as_zero();
  impl_->collect_cuts();
  impl_->make_features();
  impl_->make_tests();
}

CodeColumns::~CodeColumns() = default;

CodeTest CodeColumns::test_of(std::int32_t node) const {
  return impl_->tests[static_cast<std::size_t>(node)];
}

const std::vector<CodeFeature>& CodeColumns::features() const {
  return impl_->features;
}
const std::vector<CodeChunk>& CodeColumns::chunks() const {
  return impl_->chunks;
}
const std::vector<float>& CodeColumns::cuts() const {
  return impl_->cuts;
}

CodeSearch make_code_search(const CodeColumns& columns) {
  CodeSearch out;
  for (const CodeFeature& feature : columns.features()) {
    out.steps = std::max<std::uint32_t>(out.steps, feature.steps);
  }
  const std::size_t size = std::size_t{1} << out.steps;
  for (CodeFeature feature : columns.features()) {
    if (!feature.categorical) {
      // A search of more steps: the cuts in order once more, padded, and as a tree of that size.
      const auto from = columns.cuts().begin() + feature.begin;
      std::vector<float> sorted(from + 1, from + (std::ptrdiff_t{1} << feature.steps));
      std::sort(sorted.begin(), sorted.end());
      sorted.resize(size, std::numeric_limits<float>::infinity());
      feature.begin = static_cast<std::uint32_t>(out.cuts.size());
      append_search_tree({sorted.data(), size - 1}, size, out.cuts);
    }
    out.features.push_back(feature);
  }
  return out;
}

void append_search_tree(std::span<const float> sorted, std::size_t size, std::vector<float>& out) {
  const std::size_t begin = out.size();
  out.resize(begin + size, std::numeric_limits<float>::infinity());
  for (std::size_t at = 1; at < size; ++at) {
    // Level l has nodes [2^l, 2^(l+1)); between two of them lie `size >> l` places.
    std::size_t level = 0;
    while (at >> (level + 1) != 0) ++level;
    const std::size_t stride = size >> level;
    const std::size_t place = (at - (std::size_t{1} << level)) * stride + stride / 2 - 1;
    if (place < sorted.size()) out[begin + at] = sorted[place];
  }
}

bool has_codes(const ForestImage& image) {
  return std::all_of(image.nodes.begin(), image.nodes.end(), [](const auto& node) {
    return (node.column_flags & node_categorical) || !std::isnan(node.cut);
  });
}

}  // namespace tidemark
