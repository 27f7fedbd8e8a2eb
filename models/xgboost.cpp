// XGBoost's learner into the canonical forest: objective, base score, boosters; the trees are
// xgboost_tree's. Trusts nothing of the document. Facts on the format stand beside the checks.
#include "models/xgboost.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/text_reader.hpp"
#include "models/xgboost_tree.hpp"

namespace tidemark {
namespace {

constexpr std::int64_t outputs_max = 10'000;
constexpr std::int64_t features_max = 1 << 20;

/// What a base score, which stands in the space of predictions, becomes in that of margins.
enum class BaseAs { is, logit, log };

struct Objective {
  Link link;
  BaseAs base;
};

const std::map<std::string, Objective, std::less<>> objectives = {
    {"binary:logistic", {Link::logistic, BaseAs::logit}},
    {"reg:logistic", {Link::logistic, BaseAs::logit}},
    {"binary:logitraw", {Link::identity, BaseAs::is}},
    {"binary:hinge", {Link::step, BaseAs::is}},
    {"reg:squarederror", {Link::identity, BaseAs::is}},
    {"reg:linear", {Link::identity, BaseAs::is}},  // its name until 0.90
    {"reg:squaredlogerror", {Link::identity, BaseAs::is}},
    {"reg:pseudohubererror", {Link::identity, BaseAs::is}},
    {"reg:absoluteerror", {Link::identity, BaseAs::is}},
    {"reg:quantileerror", {Link::identity, BaseAs::is}},
    {"reg:gamma", {Link::exponential, BaseAs::log}},
    {"reg:tweedie", {Link::exponential, BaseAs::log}},
    {"count:poisson", {Link::exponential, BaseAs::log}},
    {"survival:cox", {Link::exponential, BaseAs::log}},
    {"survival:aft", {Link::exponential, BaseAs::log}},
    {"multi:softprob", {Link::softmax, BaseAs::is}},
    {"multi:softmax", {Link::softmax, BaseAs::is}},
    {"rank:pairwise", {Link::identity, BaseAs::is}},
    {"rank:ndcg", {Link::identity, BaseAs::is}},
    {"rank:map", {Link::identity, BaseAs::is}},
};

class Importer {
 public:
  explicit Importer(const DocumentPlace& root) : learner_(root.at("learner")) {
    const auto version = root.at("version").integers(3, 0, 10'000);
    forest_.format = fmt::format("XGBoost {}.{}.{}", version[0], version[1], version[2]);
  }

  Forest run() {
    forest_.sum = SumKind::float32;
    read_shape();
    read_objective();
    read_booster();
    return std::move(forest_);
  }

 private:
  void read_shape() {
    const DocumentPlace param = learner_.at("learner_model_param");
    const std::int64_t classes = param.at("num_class").integer_text(0, outputs_max);
    std::int64_t targets = 1;  // since 1.6
    if (const auto found = param.find("num_target")) targets = found->integer_text(0, outputs_max);
    if (classes > 1 && targets > 1) param.fail("several classes and several targets");
    forest_.outputs = static_cast<std::int32_t>(std::max({classes, targets, std::int64_t{1}}));
    const std::int64_t features = param.at("num_feature").integer_text(0, features_max);
    const auto names = learner_.find("feature_names");  // since 1.4; empty where none were given
    if (names) {
      for (const DocumentPlace& item : names->items()) forest_.feature_names.push_back(item.text());
    }
    if (forest_.feature_names.empty()) {
      for (std::int64_t f = 0; f < features; ++f) {
        forest_.feature_names.push_back(fmt::format("f{}", f));
      }
    }
    if (static_cast<std::int64_t>(forest_.feature_names.size()) != features) {
      names->fail(fmt::format("{} names for {} features", forest_.feature_names.size(), features));
    }
  }

  void read_objective() {
    const DocumentPlace place = learner_.at("objective").at("name");
    forest_.objective = place.text();
    const auto found = objectives.find(forest_.objective);
    if (found == objectives.end()) {
      place.fail(fmt::format("objective '{}' is not supported", shown(forest_.objective)));
    }
    forest_.link = found->second.link;
    read_base_score(found->second.base);
  }

  /// "5E-1" until 3.0, "[5E-1]" or "[a,b,c]", one for each output, since 3.1.
  void read_base_score(BaseAs as) {
    const DocumentPlace place = learner_.at("learner_model_param").at("base_score");
    std::string_view text = place.text();
    const bool many = text.starts_with('[') && text.ends_with(']');
    if (many) text = text.substr(1, text.size() - 2);
    while (true) {
      const std::size_t end = many ? std::min(text.find(','), text.size()) : text.size();
      forest_.base.push_back(base_margin(place, text.substr(0, end), as));
      if (end == text.size()) break;
      text.remove_prefix(end + 1);
    }
    const auto outputs = static_cast<std::size_t>(forest_.outputs);
    if (forest_.base.size() == 1) forest_.base.resize(outputs, forest_.base.front());
    if (forest_.base.size() != outputs) {
      place.fail(fmt::format("{} values for {} outputs", forest_.base.size(), outputs));
    }
  }

  /// In float32 and by the trainer's own formula.
  static double base_margin(const DocumentPlace& place, std::string_view word, BaseAs as) {
    float score = 0;
    const auto read = std::from_chars(word.data(), word.data() + word.size(), score);
    if (read.ec != std::errc() || read.ptr != word.data() + word.size() || !std::isfinite(score)) {
      place.fail(fmt::format("'{}' is not a number", shown(word)));
    }
    if (as == BaseAs::logit) {
      if (!(score > 0 && score < 1)) place.fail(fmt::format("{} is not within (0, 1)", score));
      return static_cast<double>(-std::log(1.0f / score - 1.0f));
    }
    if (as == BaseAs::log) {
      if (!(score > 0)) place.fail(fmt::format("{} is not positive", score));
      return static_cast<double>(std::log(score));
    }
    return static_cast<double>(score);
  }

  void read_booster() {
    const DocumentPlace booster = learner_.at("gradient_booster");
    const DocumentPlace name = booster.at("name");
    if (name.text() == "gbtree") {
      read_trees(booster.at("model"), {});
    } else if (name.text() == "dart") {
      const auto weights = booster.at("weight_drop").numbers();
      read_trees(booster.at("gbtree").at("model"), weights);
      if (weights.size() != forest_.trees.size()) {
        booster.at("weight_drop")
            .fail(fmt::format("{} weights for {} trees", weights.size(), forest_.trees.size()));
      }
    } else {
      name.fail(fmt::format("booster '{}' is not supported", shown(name.text())));
    }
  }

  void read_trees(const DocumentPlace& model, std::span<const double> weights) {
    const std::vector<DocumentPlace> trees = model.at("trees").items();
    model.at("gbtree_model_param")
        .at("num_trees")
        .integer_text(static_cast<std::int64_t>(trees.size()),
                      static_cast<std::int64_t>(trees.size()));
    const auto outputs = model.at("tree_info").integers(trees.size(), 0, forest_.outputs - 1);
    for (std::size_t t = 0; t < trees.size(); ++t) {
      // Dart scales a tree's leaves when it adds them, each product rounded to float32.
      const float weight = t < weights.size() ? static_cast<float>(weights[t]) : 1.0f;
      if (!std::isfinite(weight)) trees[t].fail("its dart weight is not finite");
      add_xgboost_tree(trees[t], outputs[t], weight, forest_);
    }
  }

  const DocumentPlace learner_;
  Forest forest_;
};

}  // namespace

Forest import_xgboost(const DocumentValue& model, std::string_view name) {
  const DocumentPlace root(model, name);
  if (!root.find("learner")) root.fail("not an XGBoost model: 'learner' is missing");
  return Importer(root).run();
}

}  // namespace tidemark
