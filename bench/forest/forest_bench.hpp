// One forest over batches of several sizes, timed in this process: what `tidemark bench forest`
// prints, and what the comparison with other engines (bench/forest/run.py) takes as ours.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/data/forest.hpp"
#include "kernels/runtime/backend.hpp"

namespace tidemark {

struct ForestBenchOptions {
  std::filesystem::path model;
  std::vector<std::size_t> batches{1, 8, 32, 128, 512, 4096, 32768};  // rows of a call
  int threads = 1;
  double seconds = 0.3;  // of calls for each batch size
  Backend backend = Backend::cpu;
};

/// Of one batch size.
struct ForestBenchPoint {
  std::size_t batch = 0;
  double rows_per_s = 0;
  double call_us_median = 0;
};

/// From file to scorer, medians of several loads: the file stays in the page cache.
struct ForestLoad {
  std::size_t bytes = 0;  // of the file
  double first_ms = 0;    // while memory is still to be had from the system
  double import_ms = 0, compile_ms = 0;
  double ms() const { return import_ms + compile_ms; }
};

struct ForestBenchResult {
  ForestLoad load;
  std::string kernel, why, isa;
  std::vector<ForestBenchPoint> points;
};

/// `rows` are taken in turn, from the start again when they end. Scores of the first rows are
/// compared with the oracle before the clock starts; throws RunError where a bit differs,
/// UsageError where the matrix does not fit the model.
ForestBenchResult bench_forest(const ForestBenchOptions& options, FeatureMatrixView rows);

/// Rows whose values are the model's own cuts, a twentieth of them missing: for a model that comes
/// without rows. Real rows part less often than these.
FeatureMatrix rows_at_cuts(const Forest& forest, std::size_t rows, std::uint32_t seed);

std::string to_table(const ForestBenchResult& result);
std::string to_json(const ForestBenchResult& result);

}  // namespace tidemark
