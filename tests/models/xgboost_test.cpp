// The XGBoost importer against damaged and hostile files, in both encodings: every one is refused
// with one line that names the file, the place and the construct, or it is a forest that scores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "kernels/forest/scorer.hpp"
#include "models/forest_oracle.hpp"
#include "models/load_forest.hpp"
#include "models/model_document.hpp"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

/// Node 0 asks feature 0, node 1 asks categories of feature 1; nodes 2, 3 and 4 are leaves, node 5
/// was deleted by the trainer.
constexpr const char* one_tree =
    R"({"id":0,"tree_param":{"num_nodes":"6","num_deleted":"1","num_feature":"2",)"
    R"("size_leaf_vector":"1"},"left_children":[1,3,-1,-1,-1,-1],)"
    R"("right_children":[2,4,-1,-1,-1,-1],"parents":[2147483647,0,0,1,1,0],)"
    R"("split_indices":[0,1,0,0,0,2147483647],"split_type":[0,1,0,0,0,0],)"
    R"("split_conditions":[5E-1,NaN,1E-1,-2.5E-1,3.1E-1,0E0],"default_left":[1,0,0,0,0,0],)"
    R"("categories":[1,33],"categories_nodes":[1],"categories_segments":[0],)"
    R"("categories_sizes":[2],"base_weights":[0E0],"sum_hessian":[1E0]})";

/// A valid model in which `from` has been replaced by `to` once.
std::string model(const std::string& from = "", const std::string& to = "") {
  std::string text =
      R"({"learner":{"attributes":{},"feature_names":[],"feature_types":[],)"
      R"("gradient_booster":{"model":{"gbtree_model_param":{"num_parallel_tree":"1",)"
      R"("num_trees":"1"},"tree_info":[0],"trees":[)";
  text += one_tree;
  text += R"(]},"name":"gbtree"},"learner_model_param":{"base_score":"5E-1","num_class":"0",)"
          R"("num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic",)"
          R"("reg_loss_param":{"scale_pos_weight":"1"}}},"version":[3,2,0]})";
  if (!from.empty()) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string refusal(const std::string& bytes) {
  try {
    parse_forest(bytes, "m.json");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

double score(const Forest& forest, float first, float second) {
  const float row[] = {first, second};
  double out = 0;
  oracle_score(forest, row, {&out, 1});
  return out;
}

TEST(Xgboost, ReadsATreeAndKeepsTheTrainersNames) {
  const Forest forest = parse_forest(model(), "m.json");
  EXPECT_EQ(forest.sum, SumKind::float32);
  EXPECT_EQ(forest.link, Link::logistic);
  EXPECT_EQ(forest.feature_names, (std::vector<std::string>{"f0", "f1"}));
  EXPECT_EQ(forest.leaf_values.size(), 3u);
  const auto leaf = [&](float first, float second) {
    const float row[] = {first, second};
    return forest.leaf_ids[static_cast<std::size_t>(oracle_leaf(forest, 0, row))];
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(leaf(0.5f, 0), 2) << "less than, not at most";
  EXPECT_EQ(leaf(std::nextafter(0.5f, 0.0f), 1), 4) << "a listed category goes right";
  EXPECT_EQ(leaf(0, 33.9f), 4);
  EXPECT_EQ(leaf(0, 2), 3);
  EXPECT_EQ(leaf(0, 900), 3) << "past the end";
  EXPECT_EQ(leaf(0, -0.5f), 3) << "no category, not category 0";
  EXPECT_EQ(leaf(nan, nan), 4) << "missing: left, then right";
}

TEST(Xgboost, AddsInFloat32FromTheBaseMargin) {
  const Forest half = parse_forest(model(), "m.json");
  EXPECT_EQ(score(half, 9, 0), static_cast<double>(0.1f)) << "the logit of 0.5 is 0";
  const Forest some = parse_forest(model("\"5E-1\"", "\"[2E-1]\""), "m.json");
  const float margin = -std::log(1.0f / 0.2f - 1.0f);
  EXPECT_EQ(score(some, 9, 0), static_cast<double>(margin + 0.1f));
  std::string text = model("binary:logistic", "count:poisson");
  EXPECT_EQ(score(parse_forest(text, "m"), 9, 0), static_cast<double>(std::log(0.5f) + 0.1f));
  text = model("binary:logistic", "reg:squarederror");
  EXPECT_EQ(score(parse_forest(text, "m"), 9, 0), static_cast<double>(0.5f + 0.1f));
}

TEST(Xgboost, ReadsFloatsAsFloats) {
  // By way of a double this lands on the other side: it is just above the middle of two floats.
  const std::string cut = "1.00000017881393432617187500000000000000001E0";
  const Forest forest = parse_forest(model("5E-1,NaN", cut + ",NaN"), "m.json");
  EXPECT_EQ(static_cast<float>(forest.nodes[0].threshold), 1.00000023841857910f);
}

TEST(Xgboost, DartScalesLeavesInFloat32) {
  std::string text = model(R"("gradient_booster":{)", R"("gradient_booster":{"gbtree":{)");
  const std::string name = R"("name":"gbtree"})";
  text.replace(text.find(name), name.size(),
               R"("name":"gbtree"},"name":"dart","weight_drop":[3.3333334E-1]})");
  const Forest forest = parse_forest(text, "m.json");
  EXPECT_EQ(forest.leaf_values[2], static_cast<double>(0.1f * 0.33333334f));
  text.replace(text.find("[3.3333334E-1]"), 14, "[1E0,1E0]");
  EXPECT_THAT(refusal(text), HasSubstr("weight_drop: 2 weights for 1 trees"));
}

TEST(Xgboost, RefusesWhatItCannotRepeat) {
  const std::pair<std::pair<const char*, const char*>, const char*> cases[] = {
      {{"binary:logistic", "my:own"}, "learner.objective.name: objective 'my:own' is not"},
      {{R"("name":"gbtree")", R"("name":"gblinear")"}, "booster 'gblinear' is not supported"},
      {{R"("size_leaf_vector":"1")", R"("size_leaf_vector":"3")"}, "multi_output_tree"},
      {{"\"5E-1\"", "\"half\""}, "base_score: 'half' is not a number"},
      {{"\"5E-1\"", "\"1E0\""}, "base_score: 1 is not within (0, 1)"},
      {{"\"5E-1\"", "\"[5E-1,5E-1]\""}, "base_score: 2 values for 1 outputs"},
      {{"\"5E-1\"", "[5E-1]"}, "base_score: is not a text"},
      {{R"("0","num_feature":"2")", R"("0","num_feature":"99999999999")"}, "num_feature"},
      {{R"("0","num_feature":"2")", R"("0","num_feature":"1")"},
       "feature 1 is none of the model's"},
      {{R"("feature_names":[])", R"("feature_names":["a"])"}, "1 names for 2 features"},
      {{R"("num_class":"0")", R"("num_class":"-1")"}, "num_class: -1 is outside"},
      {{R"("num_trees":"1")", R"("num_trees":"2")"}, "num_trees: 2 is outside [1, 1]"},
      {{R"("tree_info":[0])", R"("tree_info":[1])"}, "tree_info: [0] is 1"},
      {{R"("num_nodes":"6")", R"("num_nodes":"2000000000")"}, "6 values, 2000000000 are due"},
      {{R"("left_children":[1,)", R"("left_children":[7,)"}, "left_children: [0] is 7"},
      {{R"("left_children":[1,)", R"("left_children":[0,)"}, "node 0 is reached twice"},
      {{R"("right_children":[2,)", R"("right_children":[1,)"}, "node 1 is reached twice"},
      {{R"("right_children":[2,)", R"("right_children":[-1,)"}, "node 0 has one child"},
      {{"[5E-1,NaN", "[NaN,NaN"}, "split_conditions: node 0: a cut that is not finite"},
      {{"1E-1,", "-Infinity,"}, "split_conditions: node 2: a leaf that is not finite"},
      {{"[5E-1,NaN", "[1E999,NaN"}, "not a JSON model"},
      {{R"("default_left":[1,)", R"("default_left":[2,)"}, "default_left: [0] is 2"},
      {{R"("categories_nodes":[1])", R"("categories_nodes":[0])"}, "without its list"},
      {{R"("categories_sizes":[2])", R"("categories_sizes":[1,1])"}, "2 values, 1 are due"},
      {{R"("categories_segments":[0])", R"("categories_segments":[1])"}, "beyond the categories"},
      {{R"("categories":[1,33])", R"("categories":[1,16777216])"}, "an integer in [0, 2^24)"},
      {{R"("tree_param":{)", R"("tree_param":[1],"x":{)"}, "trees[0].tree_param: is not an object"},
      {{R"("parents":)", R"("split_indices":)"}, "split_indices: stands twice"},
      {{R"("learner":)", R"("Learner":)"}, "not an XGBoost model: 'learner' is missing"},
      {{R"("objective":)", R"("Objective":)"}, "learner: 'objective' is missing"},
      {{"[3,2,0]}", "[3,2,0]} x"}, "something follows"},
      {{"\"version\"", "\"\xff\""}, "not a JSON model"},
  };
  for (const auto& [change, says] : cases) {
    SCOPED_TRACE(change.second);
    const std::string error = refusal(model(change.first, change.second));
    EXPECT_THAT(error, HasSubstr("m.json: "));
    EXPECT_THAT(error, HasSubstr(says));
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
}

TEST(Xgboost, RefusesWhatIsNestedWithoutEnd) {
  EXPECT_THAT(refusal("{\"a\":" + std::string(5000, '[')), HasSubstr("not a JSON model"));
  std::string ubjson =
      "{i\x01"
      "a" +
      std::string(5000, '[');
  EXPECT_THAT(refusal(ubjson), HasSubstr("nested too deeply"));
}

TEST(Models, OtherFormatsAreCalledByTheirNames) {
  EXPECT_THAT(refusal("CBM1\x01\x02"), HasSubstr("CatBoost models are not supported"));
  EXPECT_THAT(refusal("\x80\x04\x95"), HasSubstr("pickled Python objects are not supported"));
  EXPECT_THAT(refusal("binf\x01"), HasSubstr("old binary models are not supported"));
}

/// The same document as the trainer's binary writer would put it.
void put_ubjson(const DocumentValue& value, std::string& out) {
  const auto put_size = [&out](std::size_t size) {
    out += 'L';
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
  };
  switch (value.kind) {
    case DocumentValue::Kind::null:
      out += 'Z';
      break;
    case DocumentValue::Kind::number:
      out += 'i';
      out += static_cast<char>(value.number);
      break;
    case DocumentValue::Kind::text:
      out += 'S';
      put_size(value.text.size());
      out += value.text;
      break;
    case DocumentValue::Kind::numbers: {
      const bool whole = std::all_of(value.numbers.begin(), value.numbers.end(),
                                     [](double x) { return x == std::floor(x); });
      out += whole ? "[$l#" : "[$d#";
      put_size(value.numbers.size());
      for (const double number : value.numbers) {
        const auto bits = whole ? static_cast<std::uint32_t>(static_cast<std::int32_t>(number))
                                : std::bit_cast<std::uint32_t>(static_cast<float>(number));
        for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift);
      }
      break;
    }
    case DocumentValue::Kind::list:
      out += "[#";
      put_size(value.list.size());
      for (const DocumentValue& item : value.list) put_ubjson(item, out);
      break;
    case DocumentValue::Kind::object:
      out += '{';
      for (const auto& [key, member] : value.members) {
        put_size(key.size());
        out += key;
        put_ubjson(member, out);
      }
      out += '}';
  }
}

std::string as_ubjson(const std::string& json) {
  std::string out;
  put_ubjson(parse_json(json, "m.json"), out);
  return out;
}

TEST(Xgboost, BothEncodingsGiveTheSameForest) {
  const Forest json = parse_forest(model(), "m.json");
  const Forest ubjson = parse_forest(as_ubjson(model()), "m.ubj");
  EXPECT_EQ(json.leaf_values, ubjson.leaf_values);
  EXPECT_EQ(json.base, ubjson.base);
  EXPECT_EQ(json.category_words, ubjson.category_words);
  for (const float first : {0.0f, 0.5f}) {
    for (const float second : {0.0f, 1.0f, 33.0f}) {
      EXPECT_EQ(score(json, first, second), score(ubjson, first, second));
    }
  }
}

TEST(Xgboost, EveryCutOfEitherEncodingIsRefused) {
  for (const std::string& whole : {model(), as_ubjson(model())}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      ASSERT_NE(refusal(whole.substr(0, size)), "accepted") << size;
    }
  }
}

TEST(Xgboost, CountsBeyondTheFileTakeNoMemory) {
  for (const char* const head : {"[$d#", "[$T#", "[#", "[$S#", "{#", "S"}) {
    std::string bytes =
        "{i\x01"
        "a" +
        std::string(head) + "L";
    bytes += std::string("\x00\x00\x7f\xff\xff\xff\xff\xff", 8);
    EXPECT_THAT(refusal(bytes), HasSubstr("a length beyond the file")) << head;
  }
}

void expect_refused_or_harmless(const std::string& bytes) {
  try {
    const Forest forest = parse_forest(bytes, "m");
    if (forest.feature_names.size() > 100) return;
    std::vector<std::int32_t> columns(forest.feature_names.size());
    std::iota(columns.begin(), columns.end(), 0);
    const auto scorer = make_forest_scorer(forest, columns, Backend::cpu);
    ThreadPool pool(1);
    std::vector<float> rows(40 * (columns.size() + 1), 0.5f);
    std::vector<double> out(40 * static_cast<std::size_t>(forest.outputs));
    scorer->score({rows.data(), 40, columns.size(), columns.size()}, out, pool);
  } catch (const UsageError& error) {
    RC_ASSERT(std::string(error.what()).find('\n') == std::string::npos);
  }
}

RC_GTEST_PROP(Xgboost, DamageIsRefusedOrHarmless, (std::uint64_t seed)) {
  std::mt19937_64 random(seed);
  std::string text = model();
  if (random() % 2) text = as_ubjson(text);
  for (int i = 0; i < 3; ++i) {
    constexpr char odd[] = "0123456789-.,:eE[]{}\"TFNZSL$#\xff";
    text[random() % text.size()] =
        random() % 2 ? odd[random() % (sizeof odd - 1)] : static_cast<char>(random());
  }
  expect_refused_or_harmless(text);
}

}  // namespace
}  // namespace tidemark
