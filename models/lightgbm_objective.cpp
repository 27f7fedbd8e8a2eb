// See lightgbm_objective.hpp. The line is `name [sqrt] [key:value ...]`, as each objective's
// ToString of the trainer writes it.
#include "models/lightgbm_objective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {
namespace {

const std::map<std::string, Link, std::less<>> links = {
    {"regression", Link::identity},    {"regression_l1", Link::identity},
    {"huber", Link::identity},         {"fair", Link::identity},
    {"quantile", Link::identity},      {"mape", Link::identity},
    {"poisson", Link::exponential},    {"gamma", Link::exponential},
    {"tweedie", Link::exponential},    {"binary", Link::logistic},
    {"multiclass", Link::softmax},     {"multiclassova", Link::logistic},
    {"cross_entropy", Link::logistic}, {"cross_entropy_lambda", Link::softplus},
    {"lambdarank", Link::identity},    {"rank_xendcg", Link::identity},
    {"custom", Link::identity}};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

void read_lightgbm_objective(const TextReader& reader, const TextField& field, Forest& forest) {
  forest.objective = std::string(field.value);
  const std::vector<std::string_view> words = words_of(field.value);
  const auto link = words.empty() ? links.end() : links.find(words[0]);
  if (link == links.end()) {
    reader.fail(field.line, fmt::format("objective '{}' is not supported", shown(field.value)));
  }
  forest.link = link->second;
  const bool multiclass = words[0].starts_with("multiclass");
  const bool has_sigmoid = words[0] == "binary" || words[0] == "multiclassova";
  const bool l2_family = forest.link == Link::identity && words[0] != "custom";
  bool sigmoid_given = false;
  for (std::size_t w = 1; w < words.size(); ++w) {
    const std::string_view word = words[w];
    if (word == "sqrt" && l2_family) {
      forest.link = Link::signed_square;
    } else if (word.starts_with("sigmoid:") && has_sigmoid) {
      sigmoid_given = true;
      forest.link_scale = reader.number(word.substr(8), field.line, "sigmoid");
      if (!(forest.link_scale > 0) || !std::isfinite(forest.link_scale)) {
        reader.fail(field.line, "sigmoid must be positive and finite");
      }
    } else if (word.starts_with("num_class:") && multiclass) {
      reader.integer(word.substr(10), field.line, "num_class", forest.outputs, forest.outputs);
    } else {
      reader.fail(field.line,
                  fmt::format("objective parameter '{}' is not supported", shown(word)));
    }
  }
  if (has_sigmoid && !sigmoid_given) {
    reader.fail(field.line, fmt::format("objective {} without its sigmoid", words[0]));
  }
}

}  // namespace tidemark
