#include "tests/fuzz/support/forest_check.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/forest/scorer.hpp"
#include "models/forest_oracle.hpp"
#include "tests/fuzz/support/fuzz.hpp"

namespace tidemark::fuzz {
namespace {

constexpr std::size_t rows = 37;  // the kernel of few rows, and blocks with a rest

/// Values that a feature meets in this forest, and those next to them.
std::vector<std::vector<float>> values_of(const Forest& forest) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> always{std::numeric_limits<float>::quiet_NaN(),
                                  0.0f,
                                  -0.0f,
                                  1e-35f,
                                  -0.5f,
                                  1.0f,
                                  31.0f,
                                  64.0f,
                                  3e9f,
                                  -3e9f,
                                  infinity,
                                  -infinity};
  std::vector<std::vector<float>> values(forest.feature_names.size(), always);
  for (const ForestNode& node : forest.nodes) {
    const auto cut = static_cast<float>(node.threshold);
    auto& mine = values[static_cast<std::size_t>(node.feature)];
    if (mine.size() > 1000) continue;
    mine.insert(mine.end(), {cut, std::nextafter(cut, infinity), std::nextafter(cut, -infinity)});
  }
  return values;
}

FeatureMatrix make_rows(const Forest& forest) {
  std::mt19937 random(7);
  const auto values = values_of(forest);
  FeatureMatrix matrix;
  matrix.resize(rows, values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t f = 0; f < values.size(); ++f) {
      matrix.row(r)[f] = values[f][random() % values[f].size()];
    }
  }
  return matrix;
}

bool same(double a, double b) {
  // The sum of infinities of both signs is NaN; which one is the processor's affair.
  if (std::isnan(a) && std::isnan(b)) return true;
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

void compare_row(const Forest& forest, std::span<const float> row, std::span<const double> scores,
                 std::span<const std::int32_t> leaves) {
  std::vector<double> right(scores.size());
  oracle_score(forest, row, right);
  for (std::size_t k = 0; k < right.size(); ++k) {
    if (same(right[k], scores[k])) continue;
    require(false, fmt::format("output {}: {:a} by the kernel is {:a}", k, scores[k], right[k]));
  }
  for (std::size_t t = 0; t < leaves.size(); ++t) {
    require(oracle_leaf(forest, t, row) == leaves[t], "leaves are the walk's");
  }
}

}  // namespace

void check_forest(const Forest& forest) {
  const std::size_t features = forest.feature_names.size();
  const auto outputs = static_cast<std::size_t>(forest.outputs);
  if (features > 2000 || forest.trees.size() > 300 || forest.nodes.size() > 20'000) return;
  if (outputs > 100) return;
  std::vector<std::int32_t> columns(features);
  std::iota(columns.begin(), columns.end(), 0);
  const auto scorer = make_forest_scorer(forest, columns, Backend::cpu);
  static ThreadPool pool(1);
  const FeatureMatrix matrix = make_rows(forest);
  for (const std::size_t count : {rows, std::size_t{1}}) {
    FeatureMatrixView view = matrix.view();
    view.rows = count;
    std::vector<double> scores(count * outputs);
    std::vector<std::int32_t> leaves(count * forest.trees.size());
    scorer->score(view, scores, pool);
    scorer->leaves(view, leaves, pool);
    for (std::size_t r = 0; r < count; ++r) {
      compare_row(forest, matrix.row(r), std::span(scores).subspan(r * outputs, outputs),
                  std::span(leaves).subspan(r * forest.trees.size(), forest.trees.size()));
    }
  }
}

}  // namespace tidemark::fuzz
