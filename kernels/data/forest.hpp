// Forest, the third noun: a trained ensemble in canonical form, immutable after import. Importers
// in models/ write it, models/oracle walks it tree by tree, kernels/forest compiles it into images.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidemark {

enum class MissingKind : std::uint8_t { none, zero, nan };

/// One inner node. Children >= 0 are nodes of the same tree, < 0 are leaves (~leaf).
/// A numeric row goes left iff x <= threshold, compared in double as the trainer does.
struct ForestNode {
  double threshold = 0;
  std::int32_t feature = 0;  // column of the model's own feature list
  std::int32_t left = 0, right = 0;
  std::int32_t category_begin = 0;  // categorical: words [begin, end) of Forest::category_words
  std::int32_t category_end = 0;
  MissingKind missing = MissingKind::none;
  bool default_left = false;
  bool categorical = false;  // a category in the set goes left
  // XGBoost's rules. Numeric: left iff x < threshold, both float32. Categorical: a negative value
  // is no category, where LightGBM cuts (-1, 0) to 0, and NaN takes the default side, there always
  // right.
  bool strict = false;
};

/// Nodes [node_begin, node_end) and leaves [leaf_begin, leaf_end); a tree of one leaf has no node.
struct ForestTree {
  std::int32_t node_begin = 0, node_end = 0;
  std::int32_t leaf_begin = 0, leaf_end = 0;
  std::int32_t output = 0;  // which of the outputs it adds to
};

enum class Link : std::uint8_t {
  identity,
  logistic,
  exponential,
  softmax,
  signed_square,
  softplus,  // log(1 + exp(s))
  step,      // 1 above 0, else 0
};

/// Adds coefficient x value to the first output, after the trees; a missing value counts as
/// `missing_as`.
struct LinearTerm {
  std::int32_t feature = 0;
  float missing_as = 0;
  double coefficient = 0;
};
inline double linear_term(const LinearTerm& term, float value) {
  return term.coefficient * static_cast<double>(value == value ? value : term.missing_as);
}

/// The arithmetic in which a row's leaves are added, one after the other in tree order.
enum class SumKind : std::uint8_t { float64, float32 };

struct Forest {
  std::vector<ForestTree> trees;
  std::vector<ForestNode> nodes;
  std::vector<double> leaf_values;
  std::vector<std::uint32_t> category_words;
  std::vector<LinearTerm> linear;          // of hand-made models
  std::vector<std::string> feature_names;  // in the order of ForestNode::feature
  std::int32_t outputs = 1;
  SumKind sum = SumKind::float64;
  std::vector<double> base;  // what each output's sum begins with; empty: 0
  std::vector<std::int32_t>
      leaf_ids;                 // the trainer's names of leaves; empty: numbers in their tree
  bool average_output = false;  // random forest: divide by trees per output
  Link link = Link::identity;
  double link_scale = 1.0;  // logistic: 1 / (1 + exp(-scale * s))
  std::string objective;    // as written in the model file
  std::string format;       // what wrote it: "LightGBM text v4", "XGBoost 3.2.0"
  std::string sha256;       // hex, of the model file's bytes
};

}  // namespace tidemark
