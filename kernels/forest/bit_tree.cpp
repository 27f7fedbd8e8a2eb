#include "kernels/forest/bit_tree.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "kernels/forest/bit_forest.hpp"

namespace tidemark {
namespace {

/// Cost of a chain step in selections: it loads one mask and needs no table of positions, but it is
/// interpreted.
constexpr double chain_step_cost = 1.5;

class Packer {
 public:
  Packer(const TreeShape& shape, std::uint32_t width) : shape_(shape) {
    packing_.width = width;
    packing_.positions.resize((std::size_t{1} << width) - 1);
    packing_.leaf_of_code.resize(std::size_t{1} << width);
    split(0, static_cast<std::int32_t>(shape.leaves.size()), 0, 0, 0);
  }

  double cost() const {
    double cost = 2.0 * static_cast<double>(packing_.leaf_of_code.size());
    for (const TreePosition& position : packing_.positions) {
      const std::uint32_t steps = position.end - position.begin;
      if (steps > 1) cost += chain_step_cost * static_cast<double>(steps + 1);
    }
    return cost;
  }

  TreePacking take() { return std::move(packing_); }

 private:
  const TreeShape::Node& at(std::int32_t node) const {
    return shape_.nodes[static_cast<std::size_t>(node)];
  }

  /// The first node from `node` down whose two sides both have leaves in (begin, end).
  std::int32_t effective(std::int32_t node, std::int32_t begin, std::int32_t end) const {
    while (node >= 0 && !(begin < at(node).boundary && at(node).boundary < end)) {
      node = at(node).boundary >= end ? at(node).left : at(node).right;
    }
    return node;
  }

  /// Leaves [begin, end), all below node `above`, go below position `index` of `level`.
  void split(std::int32_t begin, std::int32_t end, std::uint32_t level, std::uint32_t index,
             std::int32_t above) {
    if (end - begin == 1) {
      for (std::uint32_t code = index; code < packing_.leaf_of_code.size(); code += 1u << level) {
        packing_.leaf_of_code[code] = shape_.leaves[static_cast<std::size_t>(begin)];
      }
      return;
    }
    const std::int32_t half = 1 << (packing_.width - 1 - level);
    const std::int32_t top = effective(above, begin, end);
    const std::int32_t boundary = cheapest(top, begin, end, half);
    TreePosition& position = packing_.positions[(std::size_t{1} << level) - 1 + index];
    position.begin = static_cast<std::uint32_t>(packing_.paths.size());
    for (std::int32_t node = top;;) {
      const bool to_right = boundary > at(node).boundary;
      packing_.paths.push_back({at(node).node, to_right});
      if (boundary == at(node).boundary) break;
      node = effective(to_right ? at(node).right : at(node).left, begin, end);
    }
    position.end = static_cast<std::uint32_t>(packing_.paths.size());
    split(begin, boundary, level + 1, index, top);
    split(boundary, end, level + 1, index | (1u << level), top);
  }

  /// The boundary with the shortest path from `top` that leaves at most `half` leaves on either
  /// side; among equals the one nearest the middle.
  std::int32_t cheapest(std::int32_t top, std::int32_t begin, std::int32_t end, std::int32_t half) {
    level_.assign(1, top);
    while (true) {
      std::int32_t best = -1;
      const auto skew = [&](std::int32_t c) { return std::abs(2 * c - begin - end); };
      for (const std::int32_t node : level_) {
        const std::int32_t c = at(node).boundary;
        if (c - begin <= half && end - c <= half && (best < 0 || skew(c) < skew(best))) best = c;
      }
      if (best >= 0) return best;
      below_.clear();
      for (const std::int32_t node : level_) {
        for (const std::int32_t child : {at(node).left, at(node).right}) {
          const std::int32_t next = effective(child, begin, end);
          if (next >= 0) below_.push_back(next);
        }
      }
      std::swap(level_, below_);
    }
  }

  const TreeShape& shape_;
  TreePacking packing_;
  std::vector<std::int32_t> level_, below_;  // of `cheapest`
};

}  // namespace

TreeShape make_tree_shape(const ForestImage& image, const ForestImageTree& tree) {
  TreeShape shape;
  shape.root = tree.root;
  struct Open {
    std::int32_t from, parent;
    bool is_right;
  };
  std::vector<Open> open = {{tree.root, -1, false}};
  while (!open.empty()) {
    const Open now = open.back();
    open.pop_back();
    if (now.is_right) {
      // Everything left of this subtree has been numbered: that is the parent's boundary.
      shape.nodes[static_cast<std::size_t>(now.parent)].boundary =
          static_cast<std::int32_t>(shape.leaves.size());
    }
    if (now.from < 0) {
      shape.leaves.push_back(~now.from);
      continue;
    }
    const auto id = static_cast<std::int32_t>(shape.nodes.size());
    if (now.parent >= 0) {
      TreeShape::Node& parent = shape.nodes[static_cast<std::size_t>(now.parent)];
      (now.is_right ? parent.right : parent.left) = id;
    }
    shape.nodes.push_back({-1, -1, now.from, 0});
    const ForestImageNode& node = image.nodes[static_cast<std::size_t>(now.from)];
    open.push_back({node.child[1], id, true});
    open.push_back({node.child[0], id, false});
  }
  return shape;
}

TreePacking pack_tree(const TreeShape& shape) {
  const std::uint32_t least = static_cast<std::uint32_t>(std::bit_width(shape.leaves.size() - 1));
  if (least == 0) return {0, {}, {}, {shape.leaves.front()}};
  TreePacking best;
  double best_cost = 0;
  for (std::uint32_t width = least; width <= bit_width_max; ++width) {
    Packer packer(shape, width);
    if (width == least || packer.cost() < best_cost) {
      best_cost = packer.cost();
      best = packer.take();
    }
  }
  return best;
}

}  // namespace tidemark
