// Builds a RowForest from an image. Runs once at load on one thread.
#include "kernels/forest/row_forest.hpp"

#include <algorithm>

namespace tidemark {
namespace {

constexpr std::int32_t perfect_levels_max = 8;
constexpr std::size_t padding_max = 4;  // places of a perfect tree for each of its leaves
constexpr std::size_t left_max = UINT16_MAX;

class RowCompiler {
 public:
  RowCompiler(const ForestImage& image, const CodeColumns& columns)
      : image_(image), columns_(columns) {}

  std::optional<RowForest> run() {
    out_.search = make_code_search(columns_);
    out_.levels = choose_levels();
    for (const ForestImageTree& tree : image_.trees) {
      out_.output_of.push_back(tree.output);
      if (out_.levels > 0) {
        add_perfect(tree);
      } else if (!add_linked(tree)) {
        return std::nullopt;
      }
    }
    if (image_.sum == SumKind::float32) {
      out_.values32.assign(out_.values.begin(), out_.values.end());
      out_.values = {};
    }
    return std::move(out_);
  }

 private:
  std::uint32_t choose_levels() const {
    std::int32_t depth = 1;
    for (const ForestImageTree& tree : image_.trees) depth = std::max(depth, tree.depth);
    if (depth > perfect_levels_max) return 0;
    const std::size_t places = image_.trees.size() << depth;
    return places <= padding_max * image_.leaf_values.size() ? static_cast<std::uint32_t>(depth)
                                                             : 0;
  }

  double value_of(const ForestImageTree& tree, std::int32_t leaf) const {
    return image_.leaf_values[static_cast<std::size_t>(tree.leaf_begin + ~leaf)];
  }

  void add_perfect(const ForestImageTree& tree) {
    const std::size_t size = std::size_t{1} << out_.levels;
    out_.perfect.resize(out_.perfect.size() + size, perfect_never_right);
    out_.values.resize(out_.values.size() + size);
    place(tree, tree.root, 1, size);
  }

  /// Puts what is below `from` at position `at`; a leaf goes down to the left.
  void place(const ForestImageTree& tree, std::int32_t from, std::size_t at, std::size_t size) {
    if (from < 0) {
      while (at < size) at *= 2;
      *(out_.values.end() - static_cast<std::ptrdiff_t>(2 * size - at)) = value_of(tree, from);
      return;
    }
    const CodeTest test = columns_.test_of(from);
    *(out_.perfect.end() - static_cast<std::ptrdiff_t>(size - at)) =
        static_cast<PerfectNode>(test.rank << 8 | test.feature);
    const ForestImageNode& node = image_.nodes[static_cast<std::size_t>(from)];
    place(tree, node.child[0], 2 * at, size);
    place(tree, node.child[1], 2 * at + 1, size);
  }

  bool add_linked(const ForestImageTree& tree) {
    const std::size_t begin = out_.linked.size();
    queue_.assign(1, tree.root);
    std::size_t first_leaf = 0;
    bool leaf_seen = false;
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      if (queue_[i] < 0) {
        if (!leaf_seen) first_leaf = i;
        leaf_seen = true;
        out_.linked.push_back({});
        continue;
      }
      const CodeTest test = columns_.test_of(queue_[i]);
      const std::size_t left = queue_.size() - i;
      if (left > left_max) return false;
      out_.linked.push_back({static_cast<std::uint16_t>(left),
                             static_cast<std::uint8_t>(test.feature),
                             static_cast<std::uint8_t>(test.rank)});
      const ForestImageNode& node = image_.nodes[static_cast<std::size_t>(queue_[i])];
      queue_.insert(queue_.end(), node.child, node.child + 2);
    }
    if (out_.linked.size() > UINT32_MAX) return false;
    // Values from the first leaf on; those of inner nodes behind it are not asked for.
    out_.trees.push_back(
        {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(out_.values.size()) -
                                                static_cast<std::uint32_t>(begin + first_leaf)});
    for (std::size_t i = first_leaf; i < queue_.size(); ++i) {
      out_.values.push_back(queue_[i] < 0 ? value_of(tree, queue_[i]) : 0.0);
    }
    return true;
  }

  const ForestImage& image_;
  const CodeColumns& columns_;
  RowForest out_;
  std::vector<std::int32_t> queue_;
};

}  // namespace

std::optional<RowForest> make_row_forest(const ForestImage& image) {
  if (!has_codes(image)) return std::nullopt;
  const CodeColumns columns(image);
  if (columns.features().size() > row_features_max) return std::nullopt;
  return RowCompiler(image, columns).run();
}

}  // namespace tidemark
