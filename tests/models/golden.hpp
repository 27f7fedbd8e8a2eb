// What the golden tests of all trainers share: a script trains models of every kind and predicts
// hostile rows; oracle and scorer must give the same score bits and the same leaves, for every
// batch size and number of threads.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "kernels/forest/scorer.hpp"
#include "models/forest_oracle.hpp"
#include "models/load_forest.hpp"

namespace tidemark::golden {

inline std::string trainer_python() {
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

inline Case read_case(const std::filesystem::path& folder, Case c) {
  c.matrix = read_array<float>(folder / (c.name + ".rows"), c.rows * c.features);
  c.scores = read_array<double>(folder / (c.name + ".scores"), c.rows * c.outputs);
  c.links = read_array<double>(folder / (c.name + ".links"), c.rows * c.outputs);
  c.leaves = read_array<std::int32_t>(folder / (c.name + ".leaves"), c.rows * c.trees);
  return c;
}

inline std::size_t different_bits(const std::vector<double>& a, const std::vector<double>& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    count += std::bit_cast<std::uint64_t>(a[i]) != std::bit_cast<std::uint64_t>(b[i]);
  }
  return count;
}

/// What the trainer calls a leaf.
inline std::int32_t name_of_leaf(const Forest& forest, std::size_t tree, std::int32_t leaf) {
  if (forest.leaf_ids.empty()) return leaf;
  return forest.leaf_ids[static_cast<std::size_t>(forest.trees[tree].leaf_begin + leaf)];
}

inline void expect_oracle(const Case& c, const Forest& forest) {
  std::vector<double> scores(c.scores.size());
  std::size_t leaves = 0;
  for (std::size_t r = 0; r < c.rows; ++r) {
    const std::span row(c.matrix.data() + r * c.features, c.features);
    oracle_score(forest, row, std::span(scores).subspan(r * c.outputs, c.outputs));
    for (std::size_t t = 0; t < c.trees; ++t) {
      const std::int32_t leaf = oracle_leaf(forest, t, row);
      leaves += name_of_leaf(forest, t, leaf) != c.leaves[r * c.trees + t];
    }
  }
  EXPECT_EQ(leaves, 0u) << "oracle leaves";
  EXPECT_EQ(different_bits(scores, c.scores), 0u) << "oracle scores";
}

inline void expect_scorer(const Case& c, const Forest& forest, ForestScorer& scorer,
                          std::size_t batch, int threads) {
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
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    leaves[i] = name_of_leaf(forest, i % c.trees, leaves[i]);
  }
  EXPECT_EQ(leaves, c.leaves) << "batch " << batch << ", threads " << threads;
  EXPECT_EQ(different_bits(scores, c.scores), 0u) << "batch " << batch << ", threads " << threads;
}

/// Runs tests/models/golden/`script` and checks every case that it writes; `check_links`(case,
/// forest) sees the predictions. Returns the number of cases, 0 where the trainers are not there.
template <typename CheckLinks>
std::size_t check_all(const std::string& script, CheckLinks&& check_links) {
  const std::string python = trainer_python();
  if (::access(python.c_str(), X_OK) != 0) return 0;
  const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                       ("tidemark-" + script + "-" + std::to_string(::getpid()));
  const std::string command =
      python + " " TIDEMARK_SOURCE_DIR "/tests/models/golden/" + script + " " + folder.string();
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream list(folder / "cases.txt");
  Case next;
  std::size_t cases = 0;
  while (list >> next.name >> next.rows >> next.features >> next.outputs >> next.trees) {
    SCOPED_TRACE(next.name);
    const Case c = read_case(folder, next);
    const Forest forest = load_forest(folder / c.name);
    EXPECT_EQ(forest.trees.size(), c.trees);
    EXPECT_EQ(static_cast<std::size_t>(forest.outputs), c.outputs);
    if (::testing::Test::HasFailure()) break;
    expect_oracle(c, forest);
    std::vector<std::int32_t> columns(c.features);
    std::iota(columns.begin(), columns.end(), 0);
    const auto scorer = make_forest_scorer(forest, columns, Backend::cpu);
    for (const std::size_t batch : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
      for (const int threads : {1, 2, 4}) expect_scorer(c, forest, *scorer, batch, threads);
    }
    check_links(c, forest);
    ++cases;
  }
  std::filesystem::remove_all(folder);
  return cases;
}

}  // namespace tidemark::golden
