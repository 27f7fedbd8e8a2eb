// Packs trees into stages: perfect ones by position, linked ones breadth first.
#include "kernels/forest/forest_stages.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace tidemark {
namespace {

constexpr std::uint32_t aligned16(std::size_t bytes) {
  return static_cast<std::uint32_t>((bytes + 15) / 16 * 16);
}

class StagePacker {
 public:
  StagePacker(const ForestImage& image, const CodeColumns& columns, ForestCodes& codes)
      : image_(image), columns_(columns), codes_(codes) {}

  bool pack(std::uint32_t stage_bytes) {
    for (const auto& tree : image_.trees) {
      PackedTree packed;
      if (codes_.levels > 0) {
        pack_perfect(tree, packed);
      } else if (!pack_linked(tree, packed)) {
        return false;
      }
      if (!open_.empty() && open_bytes_ + bytes_of(packed) > stage_bytes) close_stage();
      open_bytes_ += bytes_of(packed);
      open_.push_back(std::move(packed));
    }
    if (!open_.empty()) close_stage();
    return true;
  }

 private:
  struct PackedTree {
    CodeTree header;
    std::vector<std::uint32_t> nodes;
    std::vector<double> values;  // by leaf; of linked trees from the first leaf's number on
    std::size_t first_leaf = 0;
  };

  std::uint32_t bytes_of(const PackedTree& tree) const {
    const std::size_t header = codes_.levels > 0 ? 0 : sizeof(CodeTree);
    return static_cast<std::uint32_t>(header) + aligned16(tree.nodes.size() * 4) +
           aligned16(tree.values.size() * codes_.value_bytes());
  }

  std::uint32_t row_bytes() const { return static_cast<std::uint32_t>(codes_.threads) * 4; }

  /// Rank and offset of a node.
  std::uint32_t test_of(std::int32_t node) const {
    const CodeTest test = columns_.test_of(node);
    return test.rank << code_rank_shift | test.feature * row_bytes();
  }

  double value_of(const ForestImageTree& tree, std::int32_t leaf) const {
    return image_.leaf_values[static_cast<std::size_t>(tree.leaf_begin + ~leaf)];
  }

  void pack_perfect(const ForestImageTree& tree, PackedTree& packed) const {
    const std::size_t size = std::size_t{1} << codes_.levels;
    packed.nodes.assign(size, code_never_right);
    packed.nodes[0] = static_cast<std::uint32_t>(tree.output);
    packed.values.assign(size, 0.0);
    place(tree, tree.root, 1, packed);
  }

  /// Puts what is below `from` at position `at`; a leaf goes down to the left.
  void place(const ForestImageTree& tree, std::int32_t from, std::size_t at,
             PackedTree& packed) const {
    if (from < 0) {
      while (at < packed.nodes.size()) at *= 2;
      packed.values[at - packed.nodes.size()] = value_of(tree, from);
      return;
    }
    const ForestImageNode& node = image_.nodes[static_cast<std::size_t>(from)];
    packed.nodes[at] = test_of(from);
    place(tree, node.child[0], 2 * at, packed);
    place(tree, node.child[1], 2 * at + 1, packed);
  }

  bool pack_linked(const ForestImageTree& tree, PackedTree& packed) const {
    packed.header.depth = tree.depth;
    packed.header.output = tree.output;
    std::vector<std::int32_t> queue{-1, tree.root};  // breadth first; number 0 is not used
    packed.nodes.push_back(code_never_right);
    for (std::uint32_t i = 1; i < queue.size(); ++i) {
      if (queue[i] < 0) {
        packed.nodes.push_back(i / 2 | (i % 2 == 0 ? code_never_right : code_always_right));
        if (packed.first_leaf == 0) packed.first_leaf = i;
        continue;
      }
      const ForestImageNode& node = image_.nodes[static_cast<std::size_t>(queue[i])];
      const auto pair = static_cast<std::uint32_t>(queue.size() / 2);
      packed.nodes.push_back(test_of(queue[i]) | pair);
      queue.push_back(node.child[0]);
      queue.push_back(node.child[1]);
    }
    for (std::size_t i = packed.first_leaf; i < queue.size(); ++i) {
      packed.values.push_back(queue[i] >= 0 ? 0.0 : value_of(tree, queue[i]));
    }
    return queue.size() / 2 <= row_bytes();
  }

  void put_values(const std::vector<double>& values, unsigned char* to) const {
    if (codes_.sum == SumKind::float64) {
      std::memcpy(to, values.data(), values.size() * sizeof(double));
      return;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<float>(values[i]);
      std::memcpy(to + i * sizeof(float), &value, sizeof(float));
    }
  }

  void close_stage() {
    CodeStage stage;
    stage.begin = static_cast<std::uint32_t>(codes_.stages.size());
    stage.trees = static_cast<std::int32_t>(open_.size());
    stage.bytes = open_bytes_;
    codes_.stages.resize(stage.begin + stage.bytes);
    unsigned char* const to = codes_.stages.data() + stage.begin;
    std::uint32_t at =
        codes_.levels > 0 ? 0 : static_cast<std::uint32_t>(open_.size() * sizeof(CodeTree));
    for (std::size_t t = 0; t < open_.size(); ++t) {
      PackedTree& tree = open_[t];
      tree.header.root = at;
      std::memcpy(to + at, tree.nodes.data(), tree.nodes.size() * 4);
      at += aligned16(tree.nodes.size() * 4);
      tree.header.value_bias =
          static_cast<std::int32_t>(at - codes_.value_bytes() * tree.first_leaf);
      put_values(tree.values, to + at);
      at += aligned16(tree.values.size() * codes_.value_bytes());
      if (codes_.levels == 0)
        std::memcpy(to + t * sizeof(CodeTree), &tree.header, sizeof(CodeTree));
    }
    codes_.directory.push_back(stage);
    codes_.stage_bytes_max = std::max(codes_.stage_bytes_max, stage.bytes);
    open_.clear();
    open_bytes_ = 0;
  }

  const ForestImage& image_;
  const CodeColumns& columns_;
  ForestCodes& codes_;
  std::vector<PackedTree> open_;  // of the stage at hand
  std::uint32_t open_bytes_ = 0;
};

std::size_t nodes_below(const ForestImage& image, std::int32_t root) {
  std::vector<std::int32_t> open{root};
  std::size_t count = 0;
  while (!open.empty()) {
    const std::int32_t at = open.back();
    open.pop_back();
    ++count;
    if (at < 0) continue;
    for (const std::int32_t child : image.nodes[static_cast<std::size_t>(at)].child) {
      open.push_back(child);
    }
  }
  return count;
}

}  // namespace

int perfect_levels_of(const ForestImage& image) {
  std::int32_t depth = 0;
  for (const auto& tree : image.trees) depth = std::max(depth, tree.depth);
  for (const int levels : perfect_levels) {
    if (depth <= levels) return levels;
  }
  return 0;
}

std::uint32_t largest_tree_bytes(const ForestImage& image, int levels, std::uint32_t value_bytes) {
  if (levels > 0) return perfect_bytes(levels, value_bytes);
  std::size_t largest = 0;
  for (const auto& tree : image.trees) {
    largest = std::max(largest, nodes_below(image, tree.root));
  }
  // As many values as nodes at most: where the root is a leaf or its left child is one.
  return static_cast<std::uint32_t>(sizeof(CodeTree)) + aligned16((largest + 1) * 4) +
         aligned16(largest * value_bytes);
}

bool make_code_stages(const ForestImage& image, const CodeColumns& columns,
                      std::uint32_t stage_bytes, ForestCodes& codes) {
  return StagePacker(image, columns, codes).pack(stage_bytes);
}

}  // namespace tidemark
