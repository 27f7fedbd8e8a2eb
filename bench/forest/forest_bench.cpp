// Times one forest by batch size: see the header.
#include "bench/forest/forest_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <limits>
#include <numeric>
#include <random>

#include "bench/pipeline/pipeline_bench.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/forest/scorer.hpp"
#include "models/forest_oracle.hpp"
#include "models/load_forest.hpp"

namespace tidemark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t rows_checked = 256;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Rows enough for the largest batch, the given ones over and over.
FeatureMatrix repeated(FeatureMatrixView rows, std::size_t count) {
  FeatureMatrix matrix;
  matrix.resize(std::max(count, rows.rows), rows.features);
  for (std::size_t r = 0; r < matrix.rows(); ++r) {
    std::copy_n(rows.row(r % rows.rows), rows.features, matrix.row(r).data());
  }
  return matrix;
}

void check(const Forest& forest, ForestScorer& scorer, FeatureMatrixView rows, ThreadPool& pool) {
  const auto outputs = static_cast<std::size_t>(forest.outputs);
  for (const std::size_t count : {std::size_t{1}, std::min(rows.rows, rows_checked)}) {
    FeatureMatrixView part = rows;
    part.rows = count;
    std::vector<double> scores(count * outputs), expected(outputs);
    scorer.score(part, scores, pool);
    for (std::size_t r = 0; r < count; ++r) {
      oracle_score(forest, {rows.row(r), rows.features}, expected);
      for (std::size_t o = 0; o < outputs; ++o) {
        if (std::bit_cast<std::uint64_t>(scores[r * outputs + o]) !=
            std::bit_cast<std::uint64_t>(expected[o])) {
          throw RunError(fmt::format("bench forest: row {}: {} where the oracle says {}", r,
                                     scores[r * outputs + o], expected[o]));
        }
      }
    }
  }
}

std::vector<std::int32_t> own_columns(const Forest& forest) {
  std::vector<std::int32_t> columns(forest.feature_names.size());
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

/// Three loads at least, and more for as long as a batch size is timed.
ForestLoad time_loads(const ForestBenchOptions& options) {
  std::vector<double> import_ms, compile_ms;
  const auto start = Clock::now();
  do {
    const auto begin = Clock::now();
    const Forest forest = load_forest(options.model);
    import_ms.push_back(seconds_since(begin) * 1e3);
    const auto imported = Clock::now();
    const auto scorer = make_forest_scorer(forest, own_columns(forest), options.backend);
    compile_ms.push_back(seconds_since(imported) * 1e3);
  } while (import_ms.size() < 3 || seconds_since(start) < options.seconds);
  const double first_ms = import_ms.front() + compile_ms.front();
  return {std::filesystem::file_size(options.model), first_ms, median(std::move(import_ms)),
          median(std::move(compile_ms))};
}

ForestBenchPoint time_batch(ForestScorer& scorer, FeatureMatrixView rows, std::size_t batch,
                            double seconds, std::vector<double>& scores, ThreadPool& pool) {
  FeatureMatrixView part = rows;
  part.rows = batch;
  scorer.score(part, scores, pool);  // makes the buffers
  std::vector<double> calls_us;
  const auto start = Clock::now();
  double spent = 0;
  for (std::size_t at = 0; spent < seconds || calls_us.size() < 3; at += batch) {
    if (at + batch > rows.rows) at = 0;
    part.data = rows.row(at);
    const auto begin = Clock::now();
    scorer.score(part, scores, pool);
    calls_us.push_back(seconds_since(begin) * 1e6);
    spent = seconds_since(start);
  }
  const double busy_us = std::accumulate(calls_us.begin(), calls_us.end(), 0.0);
  return {batch, static_cast<double>(batch * calls_us.size()) / busy_us * 1e6,
          median(std::move(calls_us))};
}

}  // namespace

ForestBenchResult bench_forest(const ForestBenchOptions& options, FeatureMatrixView rows) {
  ForestBenchResult result;
  result.load = time_loads(options);
  const Forest forest = load_forest(options.model);
  if (rows.features != forest.feature_names.size() || rows.rows == 0) {
    throw UsageError(fmt::format("--rows: {} rows of {} columns, the model has {} features",
                                 rows.rows, rows.features, forest.feature_names.size()));
  }
  const auto scorer = make_forest_scorer(forest, own_columns(forest), options.backend);
  result.kernel = scorer->kernel();
  result.why = scorer->why();
  result.isa = scorer->isa();
  ThreadPool pool(options.threads);
  const std::size_t largest = *std::max_element(options.batches.begin(), options.batches.end());
  const FeatureMatrix matrix = repeated(rows, largest);
  check(forest, *scorer, matrix.view(), pool);
  std::vector<double> scores(largest * static_cast<std::size_t>(forest.outputs));
  for (const std::size_t batch : options.batches) {
    result.points.push_back(
        time_batch(*scorer, matrix.view(), batch, options.seconds, scores, pool));
  }
  return result;
}

FeatureMatrix rows_at_cuts(const Forest& forest, std::size_t rows, std::uint32_t seed) {
  const std::size_t features = forest.feature_names.size();
  std::vector<std::vector<float>> cuts(features, {0.0f});
  for (const ForestNode& node : forest.nodes) {
    cuts[static_cast<std::size_t>(node.feature)].push_back(static_cast<float>(node.threshold));
  }
  std::mt19937 random(seed);
  FeatureMatrix matrix;
  matrix.resize(rows, features);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t f = 0; f < features; ++f) {
      matrix.row(r)[f] = random() % 20 == 0 ? std::numeric_limits<float>::quiet_NaN()
                                            : cuts[f][random() % cuts[f].size()];
    }
  }
  return matrix;
}

std::string to_table(const ForestBenchResult& result) {
  const ForestLoad& load = result.load;
  const double mb = static_cast<double>(load.bytes) * 1e-6;
  std::string text = fmt::format(
      "loaded {:.1f} MB in {:.1f} ms ({:.0f} MB/s): read {:.1f}, compiled {:.1f}; "
      "the first time in {:.1f}\n",
      mb, load.ms(), mb / load.ms() * 1e3, load.import_ms, load.compile_ms, load.first_ms);
  text += fmt::format("{}, {}\n{:>9} {:>14} {:>14}\n", result.kernel, result.isa, "batch", "rows/s",
                      "us a call");
  for (const ForestBenchPoint& point : result.points) {
    text += fmt::format("{:>9} {:>14.0f} {:>14.2f}\n", point.batch, point.rows_per_s,
                        point.call_us_median);
  }
  return text;
}

std::string to_json(const ForestBenchResult& result) {
  std::string text = fmt::format(
      "{{\"bytes\":{},\"load_ms\":{:.3f},\"first_load_ms\":{:.3f},\"import_ms\":{:.3f},"
      "\"compile_ms\":{:.3f},"
      "\"kernel\":\"{}\",\"why\":\"{}\",\"isa\":\"{}\",\"points\":[",
      result.load.bytes, result.load.ms(), result.load.first_ms, result.load.import_ms,
      result.load.compile_ms, result.kernel, result.why, result.isa);
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const ForestBenchPoint& point = result.points[i];
    text += fmt::format("{}{{\"batch\":{},\"rows_per_s\":{:.1f},\"call_us\":{:.3f}}}",
                        i == 0 ? "" : ",", point.batch, point.rows_per_s, point.call_us_median);
  }
  return text + "]}";
}

}  // namespace tidemark
