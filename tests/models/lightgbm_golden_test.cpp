// The trainer's own word: LightGBM trains models of every kind, predicts hostile rows, and we must
// give the same score bits and the same leaves, for every batch size and number of threads. Skipped
// where the Python environment of tools/setup is not there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "kernels/forest/link.hpp"
#include "kernels/forest/scorer.hpp"
#include "models/forest_oracle.hpp"
#include "models/lightgbm.hpp"

namespace tidemark {
namespace {

std::string trainer_python() {
  const char* deps = std::getenv("TIDEMARK_DEPS");
  const char* home = std::getenv("HOME");
  const std::string base = deps ? deps : std::string(home ? home : "") + "/.cache/tidemark";
  return base + "/venv/bin/python";
}

template <typename T>
std::vector<T> read_array(const std::filesystem::path& file, std::size_t count) {
  std::vector<T> values(count);
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
  EXPECT_TRUE(in) << file;
  return values;
}

struct Case {
  std::string name;
  std::size_t rows = 0, features = 0, outputs = 0, trees = 0;
  std::vector<float> matrix;
  std::vector<double> scores, links;
  std::vector<std::int32_t> leaves;
};

Case read_case(const std::filesystem::path& folder, Case c) {
  c.matrix = read_array<float>(folder / (c.name + ".rows"), c.rows * c.features);
  c.scores = read_array<double>(folder / (c.name + ".scores"), c.rows * c.outputs);
  c.links = read_array<double>(folder / (c.name + ".links"), c.rows * c.outputs);
  c.leaves = read_array<std::int32_t>(folder / (c.name + ".leaves"), c.rows * c.trees);
  return c;
}

std::size_t different_bits(const std::vector<double>& a, const std::vector<double>& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    count += std::bit_cast<std::uint64_t>(a[i]) != std::bit_cast<std::uint64_t>(b[i]);
  }
  return count;
}

void expect_oracle(const Case& c, const Forest& forest) {
  std::vector<double> scores(c.scores.size());
  std::size_t leaves = 0;
  for (std::size_t r = 0; r < c.rows; ++r) {
    const std::span row(c.matrix.data() + r * c.features, c.features);
    oracle_score(forest, row, std::span(scores).subspan(r * c.outputs, c.outputs));
    for (std::size_t t = 0; t < c.trees; ++t) {
      leaves += oracle_leaf(forest, t, row) != c.leaves[r * c.trees + t];
    }
  }
  EXPECT_EQ(leaves, 0u) << "oracle leaves";
  EXPECT_EQ(different_bits(scores, c.scores), 0u) << "oracle scores";
}

void expect_scorer(const Case& c, ForestScorer& scorer, std::size_t batch, int threads) {
  ThreadPool pool(threads);
  std::vector<double> scores(c.scores.size(), -1);
  std::vector<std::int32_t> leaves(c.leaves.size(), -1);
  for (std::size_t first = 0; first < c.rows; first += batch) {
    const std::size_t rows = std::min(batch, c.rows - first);
    const FeatureMatrixView view{c.matrix.data() + first * c.features, rows, c.features,
                                 c.features};
    scorer.score(view, std::span(scores).subspan(first * c.outputs, rows * c.outputs), pool);
    scorer.leaves(view, std::span(leaves).subspan(first * c.trees, rows * c.trees), pool);
  }
  EXPECT_EQ(leaves, c.leaves) << "batch " << batch << ", threads " << threads;
  EXPECT_EQ(different_bits(scores, c.scores), 0u) << "batch " << batch << ", threads " << threads;
}

/// How many doubles lie between two of the same sign.
std::int64_t ulps_apart(double a, double b) {
  return std::abs(std::bit_cast<std::int64_t>(a) - std::bit_cast<std::int64_t>(b));
}

/// The trainer's own exp is the C library's, so the last bits may differ; softmax adds several.
void expect_links(const Case& c, const Forest& forest) {
  std::vector<double> predictions = c.scores;
  apply_link(forest, predictions);
  const std::int64_t allowed = forest.link == Link::softmax ? 4 : 2;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    ASSERT_LE(ulps_apart(predictions[i], c.links[i]), allowed) << "prediction " << i;
  }
}

TEST(LightgbmGolden, EveryKindOfModelGivesTheTrainersBits) {
  const std::string python = trainer_python();
  if (::access(python.c_str(), X_OK) != 0)
    GTEST_SKIP() << "no LightGBM: " << python << " is missing";
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("tidemark-golden-" + std::to_string(::getpid()));
  const std::string command =
      python + " " TIDEMARK_SOURCE_DIR "/tests/models/golden/make_lightgbm.py " + folder.string();
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream list(folder / "cases.txt");
  Case next;
  std::size_t cases = 0;
  while (list >> next.name >> next.rows >> next.features >> next.outputs >> next.trees) {
    SCOPED_TRACE(next.name);
    const Case c = read_case(folder, next);
    const Forest forest = load_forest(folder / (c.name + ".txt"));
    ASSERT_EQ(forest.trees.size(), c.trees);
    ASSERT_EQ(static_cast<std::size_t>(forest.outputs), c.outputs);
    expect_oracle(c, forest);
    std::vector<std::int32_t> columns(c.features);
    std::iota(columns.begin(), columns.end(), 0);
    const auto scorer = make_forest_scorer(forest, columns, Backend::cpu);
    for (const std::size_t batch : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
      for (const int threads : {1, 2, 4}) expect_scorer(c, *scorer, batch, threads);
    }
    expect_links(c, forest);
    ++cases;
  }
  EXPECT_GE(cases, 20u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tidemark
