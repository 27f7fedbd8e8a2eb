// Exact baseline Shapley against its definition: the average over all orders, by brute force over
// all subsets of columns, on forests with missing values, ties and categories.
#include "models/explain.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>

#include "kernels/base/failure.hpp"
#include "models/forest_oracle.hpp"
#include "tests/models/random_forest_fixture.hpp"

namespace tidemark {
namespace {

double factorial(int n) {
  return std::tgamma(n + 1.0);
}

/// phi[output][feature] from 2^features scores of mixed rows.
std::vector<double> brute_force(const Forest& forest, std::span<const float> row,
                                std::span<const float> reference) {
  const int n = static_cast<int>(row.size());
  const std::size_t outputs = static_cast<std::size_t>(forest.outputs);
  const std::size_t subsets = std::size_t{1} << n;
  std::vector<double> scores(subsets * outputs);
  for (std::size_t set = 0; set < subsets; ++set) {
    std::vector<float> mixed(reference.begin(), reference.end());
    for (std::size_t f = 0; f < row.size(); ++f) {
      if ((set >> f) & 1u) mixed[f] = row[f];
    }
    oracle_score(forest, mixed, std::span(scores).subspan(set * outputs, outputs));
  }
  std::vector<double> phi(outputs * row.size());
  for (std::size_t set = 0; set < subsets; ++set) {
    const int size = std::popcount(set);
    for (std::size_t f = 0; f < row.size(); ++f) {
      if ((set >> f) & 1u) continue;
      const double weight = factorial(size) * factorial(n - size - 1) / factorial(n);
      for (std::size_t o = 0; o < outputs; ++o) {
        phi[o * row.size() + f] += weight * (scores[(set | (std::size_t{1} << f)) * outputs + o] -
                                             scores[set * outputs + o]);
      }
    }
  }
  return phi;
}

std::vector<std::int32_t> identity(std::size_t count) {
  std::vector<std::int32_t> columns(count);
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

RC_GTEST_PROP(Explain, EqualsBruteForceOverSubsets, (std::uint64_t seed)) {
  std::mt19937_64 random(seed);
  const ForestShape shape{
      .trees = 4, .leaves_max = 30, .features = 6, .outputs = 2, .categorical = 0.3};
  const Forest forest = random_forest(random, shape);
  const std::vector<float> row = random_row(random, forest), reference = random_row(random, forest);
  const Explainer explainer(forest, identity(6), reference);
  std::vector<double> phi(12, 99.0);
  explainer.explain(row, phi);
  const std::vector<double> truth = brute_force(forest, row, reference);
  for (std::size_t i = 0; i < truth.size(); ++i) RC_ASSERT(std::fabs(phi[i] - truth[i]) < 1e-11);
}

RC_GTEST_PROP(Explain, AddsUpToTheScore, (std::uint64_t seed)) {
  std::mt19937_64 random(seed);
  const ForestShape shape{.trees = 40, .leaves_max = 200, .features = 30, .chain = 0.6};
  const Forest forest = random_forest(random, shape);
  const std::vector<float> row = random_row(random, forest), reference = random_row(random, forest);
  const Explainer explainer(forest, identity(30), reference);
  std::vector<double> phi(30);
  ExplainScratch scratch;
  explainer.explain(row, phi, scratch);
  double score = 0, baseline = 0;
  oracle_score(forest, row, std::span(&score, 1));
  oracle_score(forest, reference, std::span(&baseline, 1));
  RC_ASSERT(explainer.baseline_score() == baseline);
  const double sum = std::accumulate(phi.begin(), phi.end(), baseline);
  RC_ASSERT(std::fabs(sum - score) < 1e-9 * std::max(1.0, std::fabs(score)));
  explainer.explain(reference, phi, scratch);
  RC_ASSERT(phi == std::vector<double>(30, 0.0));
}

TEST(Explain, SamplesWhetherValuesAddUp) {
  std::mt19937_64 random(4);
  const ForestShape shape{.trees = 20, .leaves_max = 50, .features = 8};
  const Forest forest = random_forest(random, shape);
  const Explainer explainer(forest, identity(8), random_row(random, forest));
  EXPECT_EQ(explainer.additivity().rows, 0u);
  std::vector<double> phi(8);
  for (std::uint64_t i = 0; i <= Explainer::sampled_every; ++i) {
    explainer.explain(random_row(random, forest), phi);
  }
  EXPECT_EQ(explainer.additivity().rows, 2u);
  EXPECT_GT(explainer.additivity().error_max, 0) << "sums of doubles are not exact";
  EXPECT_LT(explainer.additivity().error_max, 1e-12);
}

RC_GTEST_PROP(Explain, SeveralReferencesAreTheMean, (std::uint64_t seed)) {
  std::mt19937_64 random(seed);
  const ForestShape shape{
      .trees = 5, .leaves_max = 30, .features = 6, .outputs = 2, .categorical = 0.3};
  const Forest forest = random_forest(random, shape);
  const std::vector<float> row = random_row(random, forest);
  std::vector<float> references;
  std::vector<double> truth(12), baseline(2);
  for (int r = 0; r < 3; ++r) {
    const std::vector<float> reference = random_row(random, forest);
    references.insert(references.end(), reference.begin(), reference.end());
    const std::vector<double> one = brute_force(forest, row, reference);
    for (std::size_t i = 0; i < truth.size(); ++i) truth[i] += one[i] / 3;
    std::vector<double> score(2);
    oracle_score(forest, reference, score);
    for (std::size_t o = 0; o < 2; ++o) baseline[o] += score[o] / 3;
  }
  const Explainer explainer(forest, identity(6), references, 3);
  std::vector<double> phi(12, 99.0);
  explainer.explain(row, phi);
  for (std::size_t i = 0; i < truth.size(); ++i) RC_ASSERT(std::fabs(phi[i] - truth[i]) < 1e-11);
  for (std::int32_t o = 0; o < 2; ++o) {
    RC_ASSERT(std::fabs(explainer.baseline_score(o) - baseline[static_cast<std::size_t>(o)]) <
              1e-11);
  }
}

/// A chain in which node n asks feature n and goes on to the right.
Forest chain(std::int32_t length) {
  Forest forest;
  for (std::int32_t n = 0; n < length; ++n) {
    ForestNode node;
    node.feature = n;
    node.threshold = 0.5;
    node.left = ~n;
    node.right = n + 1 < length ? n + 1 : ~length;
    forest.nodes.push_back(node);
    forest.feature_names.push_back("f" + std::to_string(n));
    forest.leaf_values.push_back(n % 7);
  }
  forest.leaf_values.push_back(5);
  forest.trees.push_back({0, length, 0, length + 1, 0});
  return forest;
}

TEST(Explain, AChainOfManyColumnsIsExact) {
  const std::int32_t length = 300;
  const Forest forest = chain(length);
  const std::vector<double>& leaf = forest.leaf_values;
  std::vector<double> phi(300);
  Explainer(forest, identity(300), std::vector<float>(300, 0.0f))
      .explain(std::vector<float>(300, 1.0f), phi);
  for (std::int32_t f = 0; f < length; ++f) {
    // A row ends at the first feature that it lacks. So f matters where all before it are in, and
    // leads to g where those between are in and g comes later: f is last but one of 0 ... g.
    double truth = (leaf.back() - leaf[static_cast<std::size_t>(f)]) / length;
    for (std::int32_t g = f + 1; g < length; ++g) {
      truth += (leaf[static_cast<std::size_t>(g)] - leaf[static_cast<std::size_t>(f)]) /
               (static_cast<double>(g) * (g + 1));
    }
    EXPECT_NEAR(phi[static_cast<std::size_t>(f)], truth, 1e-12) << f;
  }
  EXPECT_THROW(Explainer(chain(1001), identity(1001), std::vector<float>(1001)), UsageError);
}

TEST(Explain, ColumnsFollowTheMatrixAndOthersGetNothing) {
  std::mt19937_64 random(3);
  const Forest forest = random_forest(random, {.trees = 5, .leaves_max = 16, .features = 3});
  const std::vector<float> row = {1, -2, 0.5f}, reference = {-1, 2, 7};
  std::vector<double> plain(3);
  Explainer(forest, identity(3), reference).explain(row, plain);
  const std::vector<float> wide_row = {9, 0.5f, 9, 1, -2}, wide_reference = {0, 7, 0, -1, 2};
  std::vector<double> wide(5);
  const std::int32_t columns[] = {3, 4, 1};
  Explainer(forest, columns, wide_reference).explain(wide_row, wide);
  EXPECT_EQ(wide, (std::vector<double>{0, plain[2], 0, plain[0], plain[1]}));
}

TEST(Explain, AReferenceThatIsTooShortIsRefused) {
  std::mt19937_64 random(3);
  const Forest forest = random_forest(random, {.trees = 1, .leaves_max = 4, .features = 3});
  const std::vector<float> reference = {0, 0};
  EXPECT_THROW(Explainer(forest, identity(3), reference), UsageError);
}

}  // namespace
}  // namespace tidemark
