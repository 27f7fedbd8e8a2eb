// Random forests of hostile shapes, cuts and rows: the scorer of every instruction set that this
// machine has must find the oracle's leaves and the oracle's bits, whatever the batch.
#include "models/forest_oracle.hpp"

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/forest/scorer.hpp"
#include "tests/models/random_forest_fixture.hpp"

namespace tidemark {
namespace {

struct Matrix {
  std::vector<float> model_rows;   // rows x features, for the oracle
  std::vector<float> matrix_rows;  // rows x matrix columns
  std::vector<std::int32_t> columns;
  std::size_t rows = 0, features = 0, matrix_columns = 0;
};

Matrix make_matrix(std::mt19937_64& random, const Forest& forest, std::size_t rows) {
  Matrix m;
  m.rows = rows;
  m.features = forest.feature_names.size();
  m.matrix_columns = m.features + 3;
  std::vector<std::int32_t> all(m.matrix_columns);
  std::iota(all.begin(), all.end(), 0);
  std::shuffle(all.begin(), all.end(), random);
  m.columns.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(m.features));
  m.matrix_rows.assign(rows * m.matrix_columns, std::numeric_limits<float>::quiet_NaN());
  for (std::size_t r = 0; r < rows; ++r) {
    const std::vector<float> row = random_row(random, forest);
    m.model_rows.insert(m.model_rows.end(), row.begin(), row.end());
    for (std::size_t f = 0; f < m.features; ++f) {
      m.matrix_rows[r * m.matrix_columns + static_cast<std::size_t>(m.columns[f])] = row[f];
    }
  }
  return m;
}

struct Answer {
  std::vector<std::uint64_t> scores;  // bits
  std::vector<std::int32_t> leaves;
  bool operator==(const Answer&) const = default;
};

std::vector<std::uint64_t> bits_of_all(const std::vector<double>& values) {
  std::vector<std::uint64_t> bits;
  for (const double value : values) bits.push_back(std::bit_cast<std::uint64_t>(value));
  return bits;
}

Answer oracle_answer(const Forest& forest, const Matrix& m) {
  const std::size_t outputs = static_cast<std::size_t>(forest.outputs);
  std::vector<double> scores(m.rows * outputs);
  Answer answer;
  for (std::size_t r = 0; r < m.rows; ++r) {
    const std::span row(m.model_rows.data() + r * m.features, m.features);
    oracle_score(forest, row, std::span(scores).subspan(r * outputs, outputs));
    for (std::size_t t = 0; t < forest.trees.size(); ++t) {
      answer.leaves.push_back(oracle_leaf(forest, t, row));
    }
  }
  answer.scores = bits_of_all(scores);
  return answer;
}

Answer scorer_answer(const Forest& forest, const Matrix& m, ForestScorer& scorer, ThreadPool& pool,
                     std::size_t batch) {
  const std::size_t outputs = static_cast<std::size_t>(forest.outputs);
  std::vector<double> scores(m.rows * outputs, -7);
  Answer answer;
  answer.leaves.assign(m.rows * forest.trees.size(), -7);
  for (std::size_t first = 0; first < m.rows; first += batch) {
    const std::size_t rows = std::min(batch, m.rows - first);
    const FeatureMatrixView view{m.matrix_rows.data() + first * m.matrix_columns, rows,
                                 m.matrix_columns, m.matrix_columns};
    scorer.score(view, std::span(scores).subspan(first * outputs, rows * outputs), pool);
    scorer.leaves(
        view,
        std::span(answer.leaves).subspan(first * forest.trees.size(), rows * forest.trees.size()),
        pool);
  }
  answer.scores = bits_of_all(scores);
  return answer;
}

void use_target(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

class AllTargets : public ::testing::Test {
 protected:
  ~AllTargets() override { use_target(0); }
};

/// Empty, or which instruction set and batch were wrong.
std::string difference(std::uint64_t seed, const ForestShape& shape, std::size_t rows) {
  std::mt19937_64 random(seed);
  const Forest forest = random_forest(random, shape);
  const Matrix m = make_matrix(random, forest, rows);
  const Answer truth = oracle_answer(forest, m);
  ThreadPool pool(2);
  use_target(0);
  std::int64_t targets = hwy::SupportedTargets() & ~HWY_SCALAR;
  std::vector<std::string> isas;
  for (; targets != 0; targets &= targets - 1) {
    use_target(targets & -targets);
    const auto scorer = make_forest_scorer(forest, m.columns, Backend::cpu);
    if (std::count(isas.begin(), isas.end(), scorer->isa())) continue;
    isas.emplace_back(scorer->isa());
    for (const std::size_t batch : {std::size_t{1}, std::size_t{13}, std::size_t{131}, rows}) {
      if (scorer_answer(forest, m, *scorer, pool, batch) != truth) {
        return isas.back() + ", batch " + std::to_string(batch);
      }
    }
  }
  return {};
}

RC_GTEST_FIXTURE_PROP(AllTargets, SmallForests, (std::uint64_t seed)) {
  const ForestShape shape{.trees = 9, .leaves_max = 40, .features = 7, .outputs = 2};
  RC_ASSERT(difference(seed, shape, 700) == "");
}

RC_GTEST_FIXTURE_PROP(AllTargets, ChainsAndFullTrees, (std::uint64_t seed)) {
  const ForestShape shape{.trees = 4, .leaves_max = 256, .features = 5, .chain = 0.9};
  RC_ASSERT(difference(seed, shape, 300) == "");
}

TEST_F(AllTargets, TreesBeyondOneByteAndColumnsBeyond255Cuts) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const ForestShape shape{.trees = 5, .leaves_max = 1500, .features = 2, .outputs = 1};
    EXPECT_EQ(difference(seed, shape, 900), "") << "seed " << seed;
  }
}

TEST_F(AllTargets, AForestWithoutTreesScoresZero) {
  Forest forest;
  forest.feature_names = {"a"};
  const std::int32_t column[] = {0};
  const auto scorer = make_forest_scorer(forest, column, Backend::cpu);
  ThreadPool pool(1);
  std::vector<float> rows(600, 1.0f);
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{600}}) {
    std::vector<double> out(count, -1);
    scorer->score({rows.data(), count, 1, 1}, out, pool);
    EXPECT_EQ(out, std::vector<double>(count, 0.0));
  }
}

}  // namespace
}  // namespace tidemark
