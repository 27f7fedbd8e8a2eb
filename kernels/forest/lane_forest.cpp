// Builds a LaneForest from an image. Runs once at load on one thread.
#include "kernels/forest/lane_forest.hpp"

#include <algorithm>

namespace tidemark {
namespace {

constexpr std::uint8_t rank_never = 255;

class LaneCompiler {
 public:
  LaneCompiler(const ForestImage& image, const CodeColumns& columns)
      : image_(image), columns_(columns) {}

  LaneForest run() {
    out_.search = make_code_search(columns_);
    for (const ForestImageTree& tree : image_.trees) {
      out_.levels = std::max(out_.levels, static_cast<std::uint32_t>(tree.depth));
    }
    codes_ = std::size_t{1} << out_.levels;
    const std::size_t groups = (image_.trees.size() + lane_trees - 1) / lane_trees;
    LaneTests never{};
    never.rank.fill(rank_never);
    out_.tests.assign(groups * (codes_ - 1) * (lane_trees / 64), never);
    out_.values.assign(image_.trees.size() * codes_, 0.0);
    for (std::size_t t = 0; t < image_.trees.size(); ++t) {
      out_.output_of.push_back(image_.trees[t].output);
      place(t, image_.trees[t].root, 0, 0);
    }
    return std::move(out_);
  }

 private:
  /// Puts what is below `from` where the decisions so far are the bits of `path`. A leaf that comes
  /// early is followed by nobody going right.
  void place(std::size_t tree, std::int32_t from, int level, std::size_t path) {
    if (from < 0) {
      out_.values[tree * codes_ + path] =
          image_.leaf_values[static_cast<std::size_t>(image_.trees[tree].leaf_begin + ~from)];
      return;
    }
    const ForestImageNode& node = image_.nodes[static_cast<std::size_t>(from)];
    const CodeTest test = columns_.test_of(from);
    const std::size_t group = tree / lane_trees, lane = tree % lane_trees;
    const std::size_t position = (std::size_t{1} << level) - 1 + path;
    LaneTests& tests =
        out_.tests[(group * (codes_ - 1) + position) * (lane_trees / 64) + lane / 64];
    tests.feature[lane % 64] = static_cast<std::uint8_t>(test.feature);
    tests.rank[lane % 64] = static_cast<std::uint8_t>(test.rank);
    place(tree, node.child[0], level + 1, path);
    place(tree, node.child[1], level + 1, path | std::size_t{1} << level);
  }

  const ForestImage& image_;
  const CodeColumns& columns_;
  LaneForest out_;
  std::size_t codes_ = 1;  // leaf codes of a tree; one more than it has positions
};

}  // namespace

std::optional<LaneForest> make_lane_forest(const ForestImage& image) {
  if (!has_codes(image) || image.trees.size() > lane_forest_trees_max) return std::nullopt;
  for (const ForestImageTree& tree : image.trees) {
    if (tree.depth > static_cast<std::int32_t>(lane_levels_max)) return std::nullopt;
  }
  const CodeColumns columns(image);
  if (columns.features().size() > lane_features_max) return std::nullopt;
  return LaneCompiler(image, columns).run();
}

}  // namespace tidemark
