// Hand-made models: the points that a person would add up, the same on every backend and in the
// reasons; and files that are refused with the line of what is wrong.
#include "models/scorecard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/exp_log.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/forest/scorer.hpp"
#include "kernels/runtime/cuda_probe.hpp"
#include "models/explain.hpp"
#include "models/forest_oracle.hpp"
#include "models/load_forest.hpp"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

constexpr const char* card =
    "# Credit, hand-made.\n"
    "scorecard:\n"
    "  scale: {points: 600, odds: 50, double: 20}\n"
    "  base: 520\n"
    "  characteristics:\n"
    "    months: {missing: 8, bins: [[3, 5], [6.1, 14], [12, 21], [.inf, 30]]}\n"
    "    region: {missing: 0, other: -4, categories: [[[0, 2, 70], 12], [[3], 7]]}\n"
    "    takings: {missing: 1, bins: [[.inf, 2.5]]}\n";

/// Points of a row as a person would look them up.
double points_of(float months, float region, float takings) {
  double points = 520;
  points += std::isnan(months) ? 8
            : months < 3.0f    ? 5
            : months < 6.1f    ? 14
            : months < 12.0f   ? 21
                               : 30;
  if (std::isnan(region)) {
    points += 0;
  } else if (region < 0 || region >= 71) {
    points += -4;
  } else {
    const int code = static_cast<int>(region);
    points += code == 0 || code == 2 || code == 70 ? 12 : code == 3 ? 7 : -4;
  }
  return points + (std::isnan(takings) ? 1 : 2.5);
}

std::vector<float> made_rows(std::size_t count) {
  std::mt19937 random(3);
  const float months[] = {nan, -infinity, 0, 2.9999998f, 3, 6.0999994f, 6.1f, 11.9f, 12, infinity};
  const float regions[] = {nan, -0.5f, -0.0f, 0, 1, 2.7f, 3, 70, 71, 1e9f, infinity};
  const float takings[] = {nan, -infinity, 0, infinity};
  std::vector<float> rows;
  for (std::size_t r = 0; r < count; ++r) {
    rows.push_back(months[random() % std::size(months)]);
    rows.push_back(regions[random() % std::size(regions)]);
    rows.push_back(takings[random() % std::size(takings)]);
  }
  return rows;
}

TEST(Scorecard, GivesTheOddsOfItsPoints) {
  const Forest forest = parse_forest(card, "card.yaml");
  EXPECT_EQ(forest.link, Link::logistic);
  EXPECT_EQ(forest.feature_names, (std::vector<std::string>{"months", "region", "takings"}));
  const std::vector<float> rows = made_rows(600);
  for (std::size_t r = 0; r < rows.size(); r += 3) {
    double score = 0;
    oracle_score(forest, std::span(&rows[r], 3), {&score, 1});
    const double points = points_of(rows[r], rows[r + 1], rows[r + 2]);
    const double odds = 50 * std::exp2((points - 600) / 20);  // good to one bad
    EXPECT_NEAR(std::exp(-score) / odds, 1, 1e-12) << rows[r] << ' ' << rows[r + 1];
    EXPECT_NEAR(exact_logistic(score), 1 / (1 + odds), 1e-12);
  }
}

constexpr const char* logistic =
    "logistic:\n"
    "  intercept: -2.5\n"
    "  features:\n"
    "    months: {coefficient: -0.125, missing: 4}\n"
    "    takings: {coefficient: 0.3, missing: 0}\n";

TEST(Logistic, AddsItsTermsInOrder) {
  const Forest forest = parse_forest(logistic, "model.yaml");
  const float row[] = {nan, 0.7f};
  double score = 0;
  oracle_score(forest, row, {&score, 1});
  EXPECT_EQ(score, -2.5 + -0.125 * 4 + 0.3 * static_cast<double>(0.7f));
}

/// Every backend and batch size against the oracle, to the bit, and contributions that add up.
void expect_same_everywhere(const Forest& forest, Backend backend) {
  const std::size_t width = forest.feature_names.size();
  std::vector<float> rows = made_rows(700);
  for (float& value : rows) {
    if (std::isinf(value) && !forest.linear.empty()) value = 1;
  }
  rows.resize(rows.size() / width * width);
  std::vector<std::int32_t> columns;
  for (std::size_t f = 0; f < width; ++f) columns.push_back(static_cast<std::int32_t>(f));
  const auto scorer = make_forest_scorer(forest, columns, backend);
  ThreadPool pool(2);
  const Explainer explainer(forest, columns, std::span(rows).first(width));
  for (const std::size_t count : {std::size_t{1}, std::size_t{33}, rows.size() / width}) {
    std::vector<double> scores(count);
    scorer->score({rows.data(), count, width, width}, scores, pool);
    for (std::size_t r = 0; r < count; ++r) {
      const std::span<const float> row(&rows[r * width], width);
      double expected = 0;
      oracle_score(forest, row, {&expected, 1});
      ASSERT_EQ(scores[r], expected) << r;
      std::vector<double> phi(width);
      explainer.explain(row, phi);
      double sum = explainer.baseline_score();
      for (const double part : phi) sum += part;
      ASSERT_NEAR(sum, expected, 1e-9) << r;
    }
  }
}

TEST(Scorecard, IsTheSameForEveryBatch) {
  expect_same_everywhere(parse_forest(card, "card.yaml"), Backend::cpu);
  expect_same_everywhere(parse_forest(logistic, "model.yaml"), Backend::cpu);
}

TEST(Scorecard, IsTheSameOnCuda) {
  if (probe_cuda().devices == 0) GTEST_SKIP() << "no CUDA device: " << probe_cuda().problem;
  expect_same_everywhere(parse_forest(card, "card.yaml"), Backend::cuda);
  expect_same_everywhere(parse_forest(logistic, "model.yaml"), Backend::cuda);
}

TEST(Scorecard, ReasonsAreTheBinsThatDiffer) {
  const Forest forest = parse_forest(card, "card.yaml");
  const std::vector<std::int32_t> columns = {0, 1, 2};
  const float baseline[] = {24, 2, 1}, row[] = {1, 2, 1};
  std::vector<double> phi(3);
  Explainer(forest, columns, baseline).explain(row, phi);
  EXPECT_NEAR(phi[0], (30 - 5) * std::log(2.0) / 20, 1e-12) << "25 points fewer, the odds go up";
  EXPECT_EQ(phi[1], 0);
  EXPECT_EQ(phi[2], 0);
}

std::string refusal(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  try {
    parse_forest(text, "card.yaml");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Scorecard, RefusesWhatIsNotOne) {
  const std::pair<std::pair<const char*, const char*>, const char*> cases[] = {
      {{"odds: 50", "odds: 0"}, "card.yaml:3:30: scorecard.scale.odds: must be positive"},
      {{"double: 20", "double: -1"}, "must be positive"},
      {{"points: 600, ", ""}, "points"},
      {{"base: 520", "base: .inf"}, "scorecard.base: expected a number"},
      {{"base: 520", "base: .nan"}, "card.yaml:4:9: scorecard.base: expected a number"},
      {{"[6.1, 14]", "[3, 14]"}, "card.yaml:6:41: bins: edges must rise"},
      {{"[3, 5]", "[3.00000001, 5], [3.00000002, 6]"}, "edges must rise, as float32 too"},
      {{"[3, 5]", "[-.inf, 5]"}, "nothing is below -.inf"},
      {{", [.inf, 30]", ""}, "the last edge must be .inf"},
      {{"[3, 5]", "[3, .nan]"}, "points: expected a number"},
      {{"[3, 5]", "[3, 5, 6]"}, "expected [edge, points]"},
      {{"missing: 8, ", ""}, "months.missing"},
      {{"bins: [[3", "bin: [[3"}, "either bins or categories"},
      {{"other: -4", "others: -4"}, "other"},
      {{"[3], 7", "[2], 7"}, "categories: 2 stands twice"},
      {{"[3], 7", "[-1], 7"}, "an integer in [0, 1048576)"},
      {{"[3], 7", "[3.5], 7"}, "an integer in [0, 1048576)"},
      {{"takings:", "months:"}, "twice"},
      {{"  base: 520", "  base: 520\n  bias: 1"}, "bias"},
      {{"scorecard:", "scorecard: 3\nother:"}, "scorecard"},
  };
  for (const auto& [change, says] : cases) {
    SCOPED_TRACE(change.second);
    const std::string error = refusal(card, change.first, change.second);
    EXPECT_THAT(error, HasSubstr(says));
    EXPECT_THAT(error, HasSubstr("card.yaml:"));
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
  EXPECT_THAT(refusal(logistic, "missing: 4", "absent: 4"), HasSubstr("months.missing"));
  EXPECT_THAT(refusal(logistic, "-0.125", "much"), HasSubstr("months.coefficient"));
}

}  // namespace
}  // namespace tidemark
