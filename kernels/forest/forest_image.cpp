#include "kernels/forest/forest_image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

/// The largest float that is not above `t`. An infinite cut is real: it parts missing from present.
float rounded_down(double t) {
  const float lowest = std::numeric_limits<float>::lowest();
  const float highest = std::numeric_limits<float>::max();
  if (std::isinf(t)) return static_cast<float>(t);
  if (t >= static_cast<double>(highest)) return highest;
  if (t < static_cast<double>(lowest)) return -std::numeric_limits<float>::infinity();
  const float near = static_cast<float>(t);
  if (static_cast<double>(near) <= t) return near;
  return std::nextafter(near, -std::numeric_limits<float>::infinity());
}

std::uint32_t flags_of(const NumericCut& cut) {
  return (cut.missing_left ? node_missing_left : 0u) | (cut.zero_missing ? node_zero_missing : 0u);
}

void set_depths(ForestImage& image) {
  std::vector<std::pair<std::int32_t, std::int32_t>> open;
  for (ForestImageTree& tree : image.trees) {
    open.assign(1, {tree.root, 0});
    while (!open.empty()) {
      const auto [node, depth] = open.back();
      open.pop_back();
      tree.depth = std::max(tree.depth, depth);
      if (node < 0) continue;
      for (const std::int32_t child : image.nodes[static_cast<std::size_t>(node)].child) {
        open.emplace_back(child, depth + 1);
      }
    }
  }
}

}  // namespace

NumericCut numeric_cut(const ForestNode& node) {
  NumericCut cut;
  if (node.strict) {
    cut.cut =
        std::nextafter(static_cast<float>(node.threshold), -std::numeric_limits<float>::infinity());
    cut.missing_left = node.default_left;
    return cut;
  }
  // The trainer drops |x| <= 1e-35 to 0 first. So a cut strictly inside that interval acts as if it
  // stood at the edge: the whole interval goes to the side of 0.
  const bool zero_left = 0.0 <= node.threshold;
  const double edge = static_cast<double>(zero_edge);
  if (std::fabs(node.threshold) <= edge) {
    const float below = std::nextafter(-zero_edge, -std::numeric_limits<float>::infinity());
    cut.cut = zero_left ? zero_edge : below;
  } else {
    cut.cut = rounded_down(node.threshold);
  }
  switch (node.missing) {
    case MissingKind::none:
      cut.missing_left = zero_left;
      break;
    case MissingKind::nan:
      cut.missing_left = node.default_left;
      break;
    case MissingKind::zero:
      cut.missing_left = node.default_left;
      // Where the default side is zero's own side, the plain cut already sends zero there.
      cut.zero_missing = node.default_left != zero_left;
      break;
  }
  return cut;
}

ForestImage make_forest_image(const Forest& forest, std::span<const std::int32_t> columns) {
  if (columns.size() != forest.feature_names.size()) {
    throw UsageError(fmt::format("the model has {} features, {} columns were given",
                                 forest.feature_names.size(), columns.size()));
  }
  ForestImage image;
  image.outputs = forest.outputs;
  image.sum = forest.sum;
  image.base = forest.base;
  image.base.resize(static_cast<std::size_t>(forest.outputs));
  image.leaf_values = forest.leaf_values;
  image.category_words = forest.category_words;
  image.nodes.reserve(forest.nodes.size());
  for (const ForestTree& tree : forest.trees) {
    const auto absolute = [&](std::int32_t child) {
      return child < 0 ? child : child + tree.node_begin;
    };
    image.trees.push_back(
        {tree.node_begin == tree.node_end ? ~0 : tree.node_begin, tree.leaf_begin, tree.output, 0});
    for (std::int32_t n = tree.node_begin; n < tree.node_end; ++n) {
      const ForestNode& from = forest.nodes[static_cast<std::size_t>(n)];
      const std::int32_t column = columns[static_cast<std::size_t>(from.feature)];
      if (column < 0 || static_cast<std::uint32_t>(column) > node_column_mask) {
        throw UsageError(fmt::format("feature '{}' has no column",
                                     forest.feature_names[static_cast<std::size_t>(from.feature)]));
      }
      ForestImageNode node;
      node.column_flags = static_cast<std::uint32_t>(column);
      if (from.categorical) {
        // The index is kept in a float, which is exact up to 2^24.
        if (image.category_sets.size() >= (1u << 24)) {
          throw UsageError("more than 2^24 categorical splits are not supported");
        }
        node.cut = static_cast<float>(image.category_sets.size());
        node.column_flags |= node_categorical;
        CategorySet set{static_cast<std::uint32_t>(from.category_begin),
                        static_cast<std::uint32_t>(from.category_end - from.category_begin)};
        if (from.strict) {
          set.above = -std::numeric_limits<float>::denorm_min();
          set.missing_left = from.default_left ? 1 : 0;
        }
        image.category_sets.push_back(set);
      } else {
        const NumericCut cut = numeric_cut(from);
        node.cut = cut.cut;
        node.column_flags |= flags_of(cut);
      }
      node.child[0] = absolute(from.left);
      node.child[1] = absolute(from.right);
      image.nodes.push_back(node);
    }
  }
  set_depths(image);
  return image;
}

}  // namespace tidemark
