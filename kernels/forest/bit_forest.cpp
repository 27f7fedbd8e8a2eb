#include "kernels/forest/bit_forest.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>

#include "kernels/forest/bit_tree.hpp"

namespace tidemark {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// "Everything but the missing goes left" cannot be a comparison with +infinity as missing values
/// are +infinity themselves: it is a column of its own, with 0 as its cut.
bool only_missing(const ForestImageNode& node) {
  return node.cut == infinity && (node.column_flags & node_missing_left) == 0;
}

/// What makes a column of its own: the matrix column, and how missing values are seen there.
enum ColumnKind : std::uint32_t { kind_only_missing = 1, kind_missing_right = 2, kind_zero = 4 };
std::uint32_t kind_of(const ForestImageNode& node) {
  return (node.column_flags & node_column_mask) << 3 |
         ((node.column_flags & node_zero_missing) != 0 ? kind_zero : 0u) |
         ((node.column_flags & node_missing_left) == 0 ? kind_missing_right : 0u) |
         (only_missing(node) ? kind_only_missing : 0u);
}

float cut_of(const ForestImageNode& node) {
  return only_missing(node) ? 0.0f : node.cut;
}

/// The comparisons of a binary search over 2^bits - 1 cuts, level by level, padded with +infinity.
void add_search(const std::vector<float>& cuts, BitColumn& column,
                std::vector<SearchLine>& search) {
  column.bits = static_cast<std::uint32_t>(std::bit_width(cuts.size()));
  column.search_begin = static_cast<std::uint32_t>(search.size());
  SearchLine padding;
  padding.entries.fill(infinity);
  search.resize(search.size() + search_level_begin(column.bits) / 16 + 1, padding);
  float* entries = search[column.search_begin].entries.data();
  for (std::uint32_t level = 0; level < column.bits; ++level) {
    for (std::uint32_t entry = 0; entry < (1u << level); ++entry) {
      std::uint32_t below = 0;
      for (std::uint32_t k = 0; k < level; ++k) {
        if ((entry >> k) & 1u) below += 1u << (column.bits - 1 - k);
      }
      const std::uint32_t candidate = below + (1u << (column.bits - 1 - level)) - 1;
      if (candidate < cuts.size()) {
        entries[search_level_begin(level) + entry] = cuts[candidate];
      }
    }
  }
}

class Compiler {
 public:
  Compiler(const ForestImage& image, LeafTables tables) : image_(image), tables_(tables) {}

  BitForest run() {
    out_.outputs = image_.outputs;
    out_.base = image_.base;
    out_.sum = image_.sum;
    collect_tests();
    number_masks();
    std::uint32_t scratch = 0;
    const std::uint32_t scratch_begin = out_.mask_count;
    std::vector<std::int32_t> order(image_.trees.size());
    for (std::size_t t = 0; t < order.size(); ++t) order[t] = static_cast<std::int32_t>(t);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return tree(a).output < tree(b).output;
    });
    for (const std::int32_t t : order) scratch = std::max(scratch, add_tree(t, scratch_begin));
    out_.mask_count += scratch;
    return std::move(out_);
  }

 private:
  /// The tests of one kind of column, as sort keys.
  struct Cuts {
    std::uint32_t kind = 0;
    std::vector<std::uint64_t> tests;
  };

  const ForestImageTree& tree(std::int32_t t) const {
    return image_.trees[static_cast<std::size_t>(t)];
  }

  std::uint32_t source_of(std::uint32_t matrix_column) {
    const auto [at, fresh] =
        source_index_.emplace(matrix_column, static_cast<std::uint32_t>(out_.sources.size()));
    if (fresh) out_.sources.push_back(matrix_column);
    return at->second;
  }

  bool walked(std::int32_t t) const {
    const auto next = static_cast<std::size_t>(t) + 1;
    const std::size_t end = next < image_.trees.size()
                                ? static_cast<std::size_t>(image_.trees[next].leaf_begin)
                                : image_.leaf_values.size();
    return end - static_cast<std::size_t>(tree(t).leaf_begin) > (std::size_t{1} << bit_width_max);
  }

  /// Numbers of the nodes of trees that are bit-sliced. A tree's nodes follow each other, its root
  /// first.
  template <typename Visit>
  void for_each_node(Visit&& visit) const {
    std::int32_t end = static_cast<std::int32_t>(image_.nodes.size());
    for (std::size_t t = image_.trees.size(); t-- > 0;) {
      const std::int32_t root = image_.trees[t].root;
      if (root < 0) continue;
      if (!walked(static_cast<std::int32_t>(t))) {
        for (std::int32_t n = root; n < end; ++n) visit(static_cast<std::uint32_t>(n));
      }
      end = root;
    }
  }

  void collect_tests() {
    for_each_node([&](std::uint32_t n) {
      const ForestImageNode& node = image_.nodes[n];
      if (node.column_flags & node_categorical) {
        sets_[static_cast<std::uint32_t>(node.cut)] = n;
        return;
      }
      const auto [at, fresh] = kinds_.emplace(kind_of(node), cuts_.size());
      if (fresh) cuts_.push_back({at->first, {}});
      cuts_[at->second].tests.push_back(cut_sort_key(cut_of(node), n));
    });
    std::sort(cuts_.begin(), cuts_.end(),
              [](const Cuts& a, const Cuts& b) { return a.kind < b.kind; });
  }

  void number_masks() {
    mask_of_node_.resize(image_.nodes.size());
    for (Cuts& cuts : cuts_) number_column(cuts);
    for (const auto& [index, n] : sets_) {
      mask_of_node_[n] = out_.mask_count;
      out_.sets.push_back({source_of(image_.nodes[n].column_flags & node_column_mask),
                           image_.category_sets[index], out_.mask_count++});
    }
  }

  /// One mask for each distinct cut, ascending.
  void number_column(Cuts& cuts) {
    std::sort(cuts.tests.begin(), cuts.tests.end());
    BitColumn column;
    column.source = source_of(cuts.kind >> 3);
    column.zero_missing = (cuts.kind & kind_zero) != 0;
    column.missing_as = (cuts.kind & kind_missing_right) != 0 ? infinity : -infinity;
    column.only_missing = (cuts.kind & kind_only_missing) != 0;
    column.mask_begin = out_.mask_count;
    distinct_.clear();
    for (const std::uint64_t test : cuts.tests) {
      const auto n = static_cast<std::uint32_t>(test);
      const float cut = cut_of(image_.nodes[n]);
      if (distinct_.empty() || distinct_.back() != cut) {
        distinct_.push_back(cut);
        ++out_.mask_count;
      }
      mask_of_node_[n] = out_.mask_count - 1;
    }
    column.cut_count = static_cast<std::uint32_t>(distinct_.size());
    add_search(distinct_, column, out_.search);
    out_.columns.push_back(column);
  }

  /// Returns how many scratch masks it needs.
  std::uint32_t add_tree(std::int32_t t, std::uint32_t scratch_begin) {
    BitTree out;
    out.tree = t;
    out.output = tree(t).output;
    out.walked = walked(t);
    out_.walked += out.walked ? 1 : 0;
    std::uint32_t scratch = 0;
    if (!out.walked) {
      const TreeShape shape = make_tree_shape(image_, tree(t));
      const TreePacking packing = pack_tree(shape);
      out.width = packing.width;
      out.position_begin = static_cast<std::uint32_t>(out_.positions.size());
      out.chain_begin = static_cast<std::uint32_t>(out_.chain.size());
      for (const TreePosition& position : packing.positions) {
        const std::span path(packing.paths.data() + position.begin, position.end - position.begin);
        out_.positions.push_back(place(shape, path, scratch_begin, scratch));
      }
      out.chain_end = static_cast<std::uint32_t>(out_.chain.size());
      out.leaf_begin = static_cast<std::uint32_t>(out_.leaf_numbers.size());
      std::vector<double> values;
      for (const std::int32_t leaf : packing.leaf_of_code) {
        values.push_back(image_.leaf_values[static_cast<std::size_t>(tree(t).leaf_begin + leaf)]);
        out_.leaf_numbers.push_back(static_cast<std::uint16_t>(leaf));
      }
      add_values(values, out);
    }
    out_.trees.push_back(out);
    return scratch;
  }

  void add_values(const std::vector<double>& values, BitTree& out) {
    if (tables_ == LeafTables::values) {
      if (image_.sum == SumKind::float64) {
        out_.values.insert(out_.values.end(), values.begin(), values.end());
      } else {
        for (const double value : values) out_.values32.push_back(static_cast<float>(value));
      }
      return;
    }
    out.plane_begin = static_cast<std::uint32_t>(out_.planes.size());
    if (image_.sum == SumKind::float64) {
      add_planes<std::uint64_t, double>(values, plane_lines_of(out));
    } else {
      add_planes<std::uint32_t, float>(values, plane_lines_of(out));
    }
  }

  template <typename Whole, typename Number>
  void add_planes(const std::vector<double>& values, std::uint32_t lines) {
    const std::size_t begin = out_.planes.size();
    out_.planes.resize(begin + sizeof(Number) * lines);
    for (std::size_t code = 0; code < values.size(); ++code) {
      const auto whole = std::bit_cast<Whole>(static_cast<Number>(values[code]));
      for (std::size_t b = 0; b < sizeof(Number); ++b) {
        out_.planes[begin + b * lines + code / 64].bytes[code % 64] =
            static_cast<std::uint8_t>(whole >> (8 * b));
      }
    }
  }

  /// The mask of a position; a path of several nodes becomes a chain into a scratch mask.
  std::uint32_t place(const TreeShape& shape, std::span<const PathStep> path,
                      std::uint32_t scratch_begin, std::uint32_t& scratch) {
    // Nobody reads an unused position's decision; the root's mask is near at hand.
    if (path.empty()) return mask_of_node_[static_cast<std::size_t>(shape.root)];
    const auto mask = [&](std::size_t step) {
      return mask_of_node_[static_cast<std::size_t>(path[step].node)];
    };
    if (path.size() == 1) return mask(0);
    const std::uint32_t target = scratch_begin + scratch++;
    constexpr std::uint32_t ones = 0xFFFFFFFFu;
    for (std::size_t step = path.size(); step-- > 0;) {
      const bool last = step + 1 == path.size();
      // The last node stands alone; above it, a turn to the right needs both, to the left either.
      const bool either = last || !path[step].to_right;
      out_.chain.push_back({mask(step), target, last ? 0 : ones, either ? ones : 0});
    }
    return target;
  }

  const ForestImage& image_;
  const LeafTables tables_;
  BitForest out_;
  std::unordered_map<std::uint32_t, std::size_t> kinds_;  // place in cuts_, until those are sorted
  std::vector<Cuts> cuts_;
  std::vector<float> distinct_;  // cuts of the column at hand
  std::vector<std::uint32_t> mask_of_node_;
  std::map<std::uint32_t, std::uint32_t> source_index_;
  std::map<std::uint32_t, std::uint32_t> sets_;  // category set: its node
};

}  // namespace

BitForest make_bit_forest(const ForestImage& image, LeafTables tables) {
  return Compiler(image, tables).run();
}

}  // namespace tidemark
