// LightGBM text models, line by line, into the canonical forest. Trusts nothing: memory is bounded
// by the size of the text, every index is checked, every tree must be a tree. Called at load by one
// thread; knows nothing of kernels. Facts on the format stand beside the checks that need them.
#include "models/lightgbm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "kernels/base/failure.hpp"
#include "kernels/base/utf8.hpp"
#include "models/lightgbm_objective.hpp"
#include "models/text_reader.hpp"

namespace tidemark {
namespace {

constexpr std::int64_t outputs_max = 10'000;

const std::set<std::string, std::less<>> header_keys = {
    "version",         "num_class",  "num_tree_per_iteration", "label_index",
    "max_feature_idx", "objective",  "average_output",         "feature_names",
    "feature_infos",   "tree_sizes", "monotone_constraints"};
const std::set<std::string, std::less<>> tree_keys = {
    "num_leaves",     "num_cat",        "split_feature", "split_gain",     "threshold",
    "decision_type",  "left_child",     "right_child",   "leaf_value",     "leaf_weight",
    "leaf_count",     "is_linear",      "shrinkage",     "internal_value", "internal_weight",
    "internal_count", "cat_boundaries", "cat_threshold"};

class Importer {
 public:
  Importer(std::string_view text, std::string_view name) : reader_(text, name) {}

  Forest run() {
    read_header();
    read_trees();
    read_tail();
    return std::move(forest_);
  }

 private:
  void store(TextFields& fields, const TextLine& line,
             const std::set<std::string, std::less<>>& known) {
    const std::size_t equals = line.text.find('=');
    const std::string key(line.text.substr(0, equals));
    if (known.count(key) == 0) {
      reader_.fail(line.number, fmt::format("unknown key '{}'", shown(key)));
    }
    if (equals == std::string_view::npos && key != "average_output") {
      reader_.fail(line.number, fmt::format("'{}' has no value", key));
    }
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : line.text.substr(equals + 1);
    if (!fields.emplace(key, TextField{value, line.number}).second) {
      reader_.fail(line.number, fmt::format("'{}' stands twice", key));
    }
  }

  const TextField& need(const TextFields& fields, std::string_view key) const {
    const auto found = fields.find(key);
    if (found == fields.end()) {
      reader_.fail(reader_.line_number(), fmt::format("'{}' is missing", key));
    }
    return found->second;
  }

  std::int64_t need_integer(const TextFields& fields, std::string_view key, std::int64_t least,
                            std::int64_t most) const {
    const TextField& field = need(fields, key);
    return reader_.integer(field.value, field.line, key, least, most);
  }

  void read_header() {
    TextLine line;
    if (!reader_.next(line) || line.text != "tree") {
      reader_.fail(1, "not a LightGBM text model: the first line is not 'tree'");
    }
    TextFields fields;
    while (reader_.next(line)) {
      if (line.text.empty()) continue;
      if (line.text.substr(0, 5) == "Tree=" || line.text == "end of trees") break;
      store(fields, line, header_keys);
    }
    pending_ = line;
    const TextField& version = need(fields, "version");
    if (version.value != "v3" && version.value != "v4") {
      reader_.fail(version.line, fmt::format("version '{}' is not supported (v3 and v4 are)",
                                             shown(version.value)));
    }
    forest_.format = fmt::format("LightGBM text {}", version.value);
    const std::int64_t classes = need_integer(fields, "num_class", 1, outputs_max);
    forest_.outputs = static_cast<std::int32_t>(classes);
    // The trainer sizes its output by one and fills it by the other.
    if (fields.count("num_tree_per_iteration")) {
      need_integer(fields, "num_tree_per_iteration", classes, classes);
    }
    for (const char* key : {"label_index", "feature_infos"}) need(fields, key);
    const std::int64_t features = need_integer(fields, "max_feature_idx", 0, INT32_MAX - 1) + 1;
    forest_.feature_names = reader_.array<std::string>(
        need(fields, "feature_names"), static_cast<std::size_t>(features), "feature_names",
        [](std::string_view w) { return w; });
    forest_.average_output = fields.count("average_output") != 0;
    if (fields.count("objective")) {
      read_lightgbm_objective(reader_, fields.find("objective")->second, forest_);
    }
    read_tree_sizes(fields);
  }

  void read_tree_sizes(const TextFields& fields) {
    const auto found = fields.find("tree_sizes");
    if (found == fields.end()) return;
    const std::string_view value = found->second.value;
    const std::size_t words =
        value.empty() ? 0
                      : 1 + static_cast<std::size_t>(std::count(value.begin(), value.end(), ' '));
    tree_sizes_line_ = found->second.line;
    tree_sizes_ = reader_.array<std::int64_t>(found->second, words, "tree_sizes", [&](auto word) {
      return reader_.integer(word, tree_sizes_line_, "tree_sizes", 1, INT64_MAX);
    });
  }

  void read_trees() {
    TextLine line = pending_;
    const std::size_t first_offset = line.offset;
    std::size_t expected_offset = first_offset;
    while (line.text != "end of trees") {
      const std::int64_t index = static_cast<std::int64_t>(forest_.trees.size());
      if (line.text.substr(0, 5) != "Tree=") {
        reader_.fail(line.number, "truncated: 'Tree=' or 'end of trees' is due");
      }
      reader_.integer(line.text.substr(5), line.number, "Tree", index, index);
      if (!tree_sizes_.empty()) check_tree_offset(line, expected_offset);
      TextFields fields;
      bool more = false;
      while ((more = reader_.next(line))) {
        if (line.text.empty()) continue;
        if (line.text.substr(0, 5) == "Tree=" || line.text == "end of trees") break;
        if (line.text.substr(0, 10) == "leaf_const") {
          reader_.fail(line.number, "linear_tree (leaf_const) is not supported");
        }
        store(fields, line, tree_keys);
      }
      if (!more) reader_.fail(reader_.line_number(), "truncated: 'end of trees' is missing");
      add_tree(fields);
    }
    if (tree_sizes_line_ != 0 && tree_sizes_.size() != forest_.trees.size()) {
      reader_.fail(tree_sizes_line_, fmt::format("tree_sizes: {} sizes for {} trees",
                                                 tree_sizes_.size(), forest_.trees.size()));
    }
    if (forest_.trees.size() % static_cast<std::size_t>(forest_.outputs) != 0) {
      reader_.fail(line.number, fmt::format("{} trees do not divide by num_tree_per_iteration {}",
                                            forest_.trees.size(), forest_.outputs));
    }
  }

  /// The trainer finds trees by these sizes, so where they disagree with the lines it would read
  /// something else than we do.
  void check_tree_offset(const TextLine& line, std::size_t& expected) {
    const std::size_t index = forest_.trees.size();
    if (index >= tree_sizes_.size() || line.offset != expected) {
      reader_.fail(line.number, fmt::format("Tree={} does not stand where tree_sizes says", index));
    }
    const std::size_t size = static_cast<std::size_t>(tree_sizes_[index]);
    expected = size > SIZE_MAX / 2 ? SIZE_MAX : expected + size;
  }

  void add_tree(const TextFields& fields) {
    const std::int64_t leaves = need_integer(fields, "num_leaves", 1, INT32_MAX);
    const std::int64_t sets = need_integer(fields, "num_cat", 0, INT32_MAX - 1);
    if (fields.count("is_linear") && need_integer(fields, "is_linear", 0, 1) == 1) {
      reader_.fail(need(fields, "is_linear").line, "linear_tree (is_linear=1) is not supported");
    }
    const TextField& leaf_field = need(fields, "leaf_value");
    const std::vector<double> values = reader_.array<double>(
        leaf_field, static_cast<std::size_t>(leaves), "leaf_value", [&](std::string_view word) {
          const double value = reader_.number(word, leaf_field.line, "leaf_value");
          if (std::isinf(value)) reader_.fail(leaf_field.line, "leaf_value: infinite");
          return value;
        });
    if (forest_.leaf_values.size() + values.size() > INT32_MAX) {
      reader_.fail(leaf_field.line, "more than 2^31 leaves");
    }
    ForestTree tree;
    tree.output =
        static_cast<std::int32_t>(forest_.trees.size() % static_cast<std::size_t>(forest_.outputs));
    tree.node_begin = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_begin = static_cast<std::int32_t>(forest_.leaf_values.size());
    forest_.leaf_values.insert(forest_.leaf_values.end(), values.begin(), values.end());
    tree.leaf_end = static_cast<std::int32_t>(forest_.leaf_values.size());
    if (leaves > 1) add_nodes(fields, static_cast<std::int32_t>(leaves), sets);
    tree.node_end = static_cast<std::int32_t>(forest_.nodes.size());
    forest_.trees.push_back(tree);
  }

  template <typename T = std::int32_t>
  std::vector<T> integers(const TextFields& fields, std::string_view key, std::size_t count,
                          std::int64_t least, std::int64_t most) const {
    const TextField& field = need(fields, key);
    return reader_.array<T>(field, count, key, [&](std::string_view word) {
      return reader_.integer(word, field.line, key, least, most);
    });
  }

  void add_nodes(const TextFields& fields, std::int32_t leaves, std::int64_t sets) {
    const std::int32_t inner = leaves - 1;
    const std::size_t count = static_cast<std::size_t>(inner);
    const std::int64_t features = static_cast<std::int64_t>(forest_.feature_names.size());
    const auto feature = integers(fields, "split_feature", count, 0, features - 1);
    const auto type = integers(fields, "decision_type", count, 0, 11);
    const auto left = integers(fields, "left_child", count, -leaves, inner - 1);
    const auto right = integers(fields, "right_child", count, -leaves, inner - 1);
    const TextField& threshold_field = need(fields, "threshold");
    const auto threshold =
        reader_.array<double>(threshold_field, count, "threshold", [&](std::string_view word) {
          return reader_.number(word, threshold_field.line, "threshold");
        });
    check_shape(left, right, leaves, need(fields, "left_child").line);
    for (const char* key : {"split_gain", "internal_value", "internal_weight", "internal_count"}) {
      check_numbers(fields, key, count);
    }
    for (const char* key : {"leaf_weight", "leaf_count"}) check_numbers(fields, key, count + 1);
    std::vector<std::int32_t> boundaries;
    std::int32_t words_begin = 0;
    if (sets > 0) words_begin = add_sets(fields, sets, boundaries);
    for (std::size_t n = 0; n < count; ++n) {
      ForestNode node;
      node.feature = feature[n];
      node.left = left[n];
      node.right = right[n];
      node.categorical = (type[n] & 1) != 0;
      node.default_left = (type[n] & 2) != 0;
      node.missing = static_cast<MissingKind>(type[n] >> 2);
      if (node.categorical) {
        const double set = threshold[n];
        if (!(set >= 0) || set >= static_cast<double>(sets) || set != std::floor(set)) {
          reader_.fail(threshold_field.line, "threshold: no such category set");
        }
        node.category_begin = words_begin + boundaries[static_cast<std::size_t>(set)];
        node.category_end = words_begin + boundaries[static_cast<std::size_t>(set) + 1];
      } else {
        node.threshold = threshold[n];
      }
      forest_.nodes.push_back(node);
    }
  }

  /// Numbers that scoring has no use for, so any will do, infinite ones too; but the trainer reads
  /// them, so a damaged one is a damaged file.
  void check_numbers(const TextFields& fields, std::string_view key, std::size_t count) const {
    const auto found = fields.find(key);
    if (found == fields.end() || found->second.value.empty()) return;
    reader_.each(found->second, count, key, [&](std::string_view word) {
      reader_.check_number(word, found->second.line, key);
    });
  }

  std::int32_t add_sets(const TextFields& fields, std::int64_t sets,
                        std::vector<std::int32_t>& boundaries) {
    const auto begin = static_cast<std::int32_t>(forest_.category_words.size());
    boundaries = integers(fields, "cat_boundaries", static_cast<std::size_t>(sets) + 1, 0,
                          INT32_MAX - begin);
    if (boundaries.front() != 0 || !std::is_sorted(boundaries.begin(), boundaries.end())) {
      reader_.fail(need(fields, "cat_boundaries").line, "cat_boundaries do not ascend from 0");
    }
    const auto words = integers<std::uint32_t>(
        fields, "cat_threshold", static_cast<std::size_t>(boundaries.back()), 0, UINT32_MAX);
    forest_.category_words.insert(forest_.category_words.end(), words.begin(), words.end());
    return begin;
  }

  /// Every node and every leaf is reached exactly once from node 0: no cycle, no shared child.
  void check_shape(const std::vector<std::int32_t>& left, const std::vector<std::int32_t>& right,
                   std::int32_t leaves, std::int64_t line) const {
    std::vector<bool> node_seen(left.size()), leaf_seen(static_cast<std::size_t>(leaves));
    std::vector<std::int32_t> open = {0};
    std::size_t reached = 0;
    while (!open.empty()) {
      const std::int32_t at = open.back();
      open.pop_back();
      const bool leaf = at < 0;
      const std::size_t index = static_cast<std::size_t>(leaf ? ~at : at);
      auto&& seen = leaf ? leaf_seen[index] : node_seen[index];
      if (seen) {
        reader_.fail(line, fmt::format("left_child, right_child: {} {} is reached twice",
                                       leaf ? "leaf" : "node", index));
      }
      seen = true;
      ++reached;
      if (leaf) continue;
      open.push_back(left[index]);
      open.push_back(right[index]);
    }
    if (reached != node_seen.size() + leaf_seen.size()) {
      reader_.fail(line, "left_child, right_child: a node or leaf is never reached");
    }
  }

  /// What follows the trees does not score, but a file that was cut there is damaged all the same:
  /// sections must end, no line may be unknown, and without the parameters the importances must be
  /// whole.
  void read_tail() {
    TextLine line;
    std::string closing;
    std::int64_t opened = 0;
    bool importances = false, parameters = false;
    std::set<std::string, std::less<>> listed;
    while (reader_.next(line)) {
      if (!closing.empty()) {
        if (line.text == "[linear_tree: 1]") {
          reader_.fail(line.number, "linear_tree is not supported");
        }
        if (line.text == closing) closing.clear();
      } else if (line.text == "parameters:" || line.text == "parser:") {
        closing = fmt::format("end of {}", line.text.substr(0, line.text.size() - 1));
        opened = line.number;
        parameters = true;
      } else if (line.text == "feature_importances:" || line.text == "feature importances:") {
        importances = true;  // With a space until version 2.3 of the trainer, which wrote v3 too.
      } else if (importances && !parameters && line.text.find('=') != std::string_view::npos) {
        listed.emplace(line.text.substr(0, line.text.rfind('=')));
      } else if (!line.text.empty() && line.text.substr(0, 19) != "pandas_categorical:") {
        reader_.fail(line.number, fmt::format("unknown line '{}'", shown(line.text)));
      }
    }
    if (!closing.empty()) {
      reader_.fail(opened, fmt::format("truncated: '{}' is missing", closing));
    }
    if (importances && !parameters) check_importances(listed);
  }

  void check_importances(const std::set<std::string, std::less<>>& listed) const {
    for (const ForestNode& node : forest_.nodes) {
      const std::string& name = forest_.feature_names[static_cast<std::size_t>(node.feature)];
      if (listed.count(name) == 0) {
        reader_.fail(reader_.line_number(),
                     fmt::format("truncated: feature_importances lacks '{}'", shown(name)));
      }
    }
  }

  TextReader reader_;
  Forest forest_;
  TextLine pending_;
  std::vector<std::int64_t> tree_sizes_;
  std::int64_t tree_sizes_line_ = 0;
};

}  // namespace

Forest parse_lightgbm(std::string_view text, std::string_view name) {
  if (text.empty()) throw UsageError(fmt::format("{}:1: the model file is empty", name));
  if (const auto bad = invalid_utf8_offset(text)) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n');
    throw UsageError(fmt::format("{}:{}: invalid UTF-8 at byte {}", name, line, *bad));
  }
  return Importer(text, name).run();
}

}  // namespace tidemark
