// One tree of an XGBoost document: parallel arrays by node, of which node 0 is the root. A leaf has
// no children, and its value stands where an inner node has its cut.
#include "models/xgboost_tree.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

namespace tidemark {
namespace {

constexpr std::int64_t category_end = 1 << 24;  // above, the trainer sees no category
constexpr std::size_t category_words_max = std::size_t{1} << 26;  // of all splits

class TreeImporter {
 public:
  TreeImporter(const DocumentPlace& tree, Forest& forest) : tree_(tree), forest_(forest) {
    const DocumentPlace param = tree.at("tree_param");
    count_ = static_cast<std::size_t>(param.at("num_nodes").integer_text(1, INT32_MAX));
    if (const auto size = param.find("size_leaf_vector")) {
      if (size->integer_text(0, INT32_MAX) > 1) {
        size->fail("trees with a vector in each leaf (multi_output_tree) are not supported");
      }
    }
    const auto last = static_cast<std::int64_t>(count_) - 1;
    left_ = tree.at("left_children").integers(count_, -1, last);
    right_ = tree.at("right_children").integers(count_, -1, last);
    feature_ = tree.at("split_indices").integers(count_, 0, INT32_MAX);  // deleted nodes: any
    cut_ = tree.at("split_conditions").numbers(count_);
    default_left_ = tree.at("default_left").integers(count_, 0, 1);
    if (const auto types = tree.find("split_type")) {  // since 1.3
      type_ = types->integers(count_, 0, 1);
    } else {
      type_.assign(count_, 0);
    }
    read_categories();
  }

  void add(std::int32_t output, float weight) {
    ForestTree tree;
    tree.output = output;
    tree.node_begin = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_begin = static_cast<std::int32_t>(forest_.leaf_values.size());
    if (forest_.nodes.size() + count_ > INT32_MAX) tree_.fail("more than 2^31 nodes");
    number_nodes();
    for (const std::size_t node : reached_) {
      if (is_leaf(node)) {
        add_leaf(node, weight);
      } else {
        add_inner(node);
      }
    }
    tree.node_end = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_end = static_cast<std::int32_t>(forest_.leaf_values.size());
    forest_.trees.push_back(tree);
  }

 private:
  struct CategoryRange {
    std::size_t begin = 0, end = 0;
    bool given = false;
  };

  /// Lists of categories, one for each categorical node, in one array.
  void read_categories() {
    categories_of_.resize(count_);
    const auto nodes = tree_.find("categories_nodes");
    if (!nodes) return;
    const std::size_t lists = nodes->numbers().size();
    const auto node = nodes->integers(lists, 0, static_cast<std::int64_t>(count_) - 1);
    categories_ = tree_.at("categories").numbers();
    const auto all = static_cast<std::int64_t>(categories_.size());
    const auto begin = tree_.at("categories_segments").integers(lists, 0, all);
    const auto size = tree_.at("categories_sizes").integers(lists, 0, all);
    for (std::size_t i = 0; i < lists; ++i) {
      CategoryRange& range = categories_of_[static_cast<std::size_t>(node[i])];
      if (range.given) nodes->fail(fmt::format("node {} stands twice", node[i]));
      range = {static_cast<std::size_t>(begin[i]), static_cast<std::size_t>(begin[i] + size[i]),
               true};
      if (range.end > categories_.size()) {
        tree_.at("categories_sizes").fail(fmt::format("[{}] ends beyond the categories", i));
      }
    }
  }

  bool is_leaf(std::size_t node) const { return left_[node] == -1; }

  /// From the root, so that deleted nodes are left out, each node once: no cycle, no shared child.
  void number_nodes() {
    number_.assign(count_, 0);
    std::vector<bool> seen(count_);
    std::vector<std::size_t> open{0};
    std::int32_t inner = 0, leaves = 0;
    while (!open.empty()) {
      const std::size_t node = open.back();
      open.pop_back();
      if (seen[node]) tree_.fail(fmt::format("node {} is reached twice", node));
      seen[node] = true;
      reached_.push_back(node);
      if ((left_[node] == -1) != (right_[node] == -1)) {
        tree_.fail(fmt::format("node {} has one child", node));
      }
      number_[node] = is_leaf(node) ? ~leaves++ : inner++;
      if (is_leaf(node)) continue;
      open.push_back(static_cast<std::size_t>(right_[node]));
      open.push_back(static_cast<std::size_t>(left_[node]));
    }
  }

  void add_leaf(std::size_t node, float weight) {
    const auto value = static_cast<float>(cut_[node]) * weight;
    if (!std::isfinite(value)) fail_at("split_conditions", node, "a leaf that is not finite");
    forest_.leaf_values.push_back(static_cast<double>(value));
    forest_.leaf_ids.push_back(static_cast<std::int32_t>(node));
  }

  void add_inner(std::size_t node) {
    ForestNode out;
    out.strict = true;
    out.missing = MissingKind::nan;
    out.feature = feature_[node];
    if (static_cast<std::size_t>(out.feature) >= forest_.feature_names.size()) {
      fail_at("split_indices", node, fmt::format("feature {} is none of the model's", out.feature));
    }
    out.default_left = default_left_[node] == 1;
    out.left = number_[static_cast<std::size_t>(left_[node])];
    out.right = number_[static_cast<std::size_t>(right_[node])];
    if (type_[node] == 1) {
      // The trainer lists the categories that go right, and all else goes left; here it is the
      // other way round, so the sides change their names.
      out.categorical = true;
      std::swap(out.left, out.right);
      out.default_left = !out.default_left;
      add_set(node, out);
    } else {
      out.threshold = static_cast<double>(static_cast<float>(cut_[node]));
      if (!std::isfinite(out.threshold)) {
        fail_at("split_conditions", node, "a cut that is not finite");
      }
    }
    forest_.nodes.push_back(out);
  }

  void add_set(std::size_t node, ForestNode& out) {
    const CategoryRange& range = categories_of_[node];
    if (!range.given) fail_at("categories_nodes", node, "a categorical node without its list");
    std::vector<std::uint32_t> words;
    for (const double category : categories_.subspan(range.begin, range.end - range.begin)) {
      if (!(category >= 0 && category < static_cast<double>(category_end)) ||
          category != std::floor(category)) {
        fail_at("categories", node, "a category that is not an integer in [0, 2^24)");
      }
      const auto code = static_cast<std::uint32_t>(category);
      if (code / 32 >= words.size()) words.resize(code / 32 + 1);
      words[code / 32] |= 1u << (code % 32);
    }
    if (forest_.category_words.size() + words.size() > category_words_max) {
      fail_at("categories", node, "more than 2^31 categories in all splits");
    }
    out.category_begin = static_cast<std::int32_t>(forest_.category_words.size());
    forest_.category_words.insert(forest_.category_words.end(), words.begin(), words.end());
    out.category_end = static_cast<std::int32_t>(forest_.category_words.size());
  }

  [[noreturn]] void fail_at(std::string_view key, std::size_t node, std::string_view what) const {
    tree_.at(key).fail(fmt::format("node {}: {}", node, what));
  }

  const DocumentPlace& tree_;
  Forest& forest_;
  std::size_t count_ = 0;
  std::vector<std::int32_t> left_, right_, feature_, default_left_, type_;
  std::span<const double> cut_, categories_;
  std::vector<CategoryRange> categories_of_;
  std::vector<std::size_t> reached_;  // parents before children, left before right
  std::vector<std::int32_t> number_;  // inner nodes and ~leaves in the order of reached_
};

}  // namespace

void add_xgboost_tree(const DocumentPlace& tree, std::int32_t output, float weight,
                      Forest& forest) {
  TreeImporter(tree, forest).add(output, weight);
}

}  // namespace tidemark
