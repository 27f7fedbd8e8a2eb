// `tidemark score`: one forest over a matrix of rows, nothing else. Reads and writes .npy files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "kernels/forest/scorer.hpp"
#include "kernels/runtime/backend.hpp"
#include "models/explain.hpp"
#include "models/load_forest.hpp"
#include "tools/commands.hpp"
#include "tools/npy.hpp"

namespace tidemark {
namespace {

struct ScoreOptions {
  std::string model, rows, out, leaves, baseline, contributions, json;
  std::string backend = "auto";
  int threads = 0;
  int repeat = 1;
};

constexpr std::size_t explain_grain = 64;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

/// Runs `pass` `times` times and returns rows per second, the median.
template <typename Pass>
double rate_of(std::size_t rows, int times, Pass&& pass) {
  std::vector<double> rates;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    pass();
    rates.push_back(static_cast<double>(rows) / std::max(seconds_since(start), 1e-9));
  }
  return median(std::move(rates));
}

void check_columns(const FeatureMatrixView& view, const Forest& forest, const std::string& option,
                   const std::string& file) {
  if (view.features == forest.feature_names.size()) return;
  throw UsageError(fmt::format("{} {}: {} columns, the model has {} features", option, file,
                               view.features, forest.feature_names.size()));
}

/// Inputs are mapped while outputs are written, so none may be the same file.
void check_outputs(const ScoreOptions& options) {
  const std::pair<const char*, const std::string&> outputs[] = {
      {"--out", options.out},
      {"--leaves", options.leaves},
      {"--contributions", options.contributions},
      {"--json", options.json}};
  for (const auto& [option, output] : outputs) {
    for (const std::string& input : {options.model, options.rows, options.baseline}) {
      std::error_code none;  // a file that is not there yet is no input
      if (std::filesystem::equivalent(output, input, none)) {
        throw UsageError(fmt::format("{} {}: is an input too", option, output));
      }
    }
  }
}

class ScoreRun {
 public:
  explicit ScoreRun(const ScoreOptions& options)
      : options_(options),
        forest_(load_forest(options.model)),
        matrix_(options.rows, "--rows"),
        pool_(options.threads > 0
                  ? options.threads
                  : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))) {
    check_columns(matrix_.view(), forest_, "--rows", options.rows);
    columns_.resize(forest_.feature_names.size());
    std::iota(columns_.begin(), columns_.end(), 0);
    const Backend backend = resolve_backend(options.backend);
    backend_ = name_of(backend);
    if (!options.baseline.empty()) load_baseline();
    scorer_ = make_forest_scorer(forest_, columns_, backend);
  }

  void run() {
    const FeatureMatrixView rows = matrix_.view();
    const std::size_t outputs = static_cast<std::size_t>(forest_.outputs);
    std::vector<double> scores(rows.rows * outputs);
    // The first pass makes the buffers; it is not timed where passes are counted.
    if (options_.repeat > 1) scorer_->score(rows, scores, pool_);
    const double rate =
        rate_of(rows.rows, options_.repeat, [&] { scorer_->score(rows, scores, pool_); });
    const std::vector<std::size_t> shape = outputs == 1
                                               ? std::vector<std::size_t>{rows.rows}
                                               : std::vector<std::size_t>{rows.rows, outputs};
    write_npy(options_.out, scores, shape);
    if (!options_.leaves.empty()) write_leaves();
    double explained_rate = 0;
    if (explainer_) explained_rate = write_contributions();
    if (!options_.json.empty()) write_json(rate, explained_rate);
  }

 private:
  void load_baseline() {
    const NpyMatrix baseline(options_.baseline, "--baseline");
    check_columns(baseline.view(), forest_, "--baseline", options_.baseline);
    if (baseline.view().rows != 1) {
      throw UsageError(
          fmt::format("--baseline {}: shape (1, features) is needed, the file has {} rows",
                      options_.baseline, baseline.view().rows));
    }
    explainer_ = std::make_unique<Explainer>(
        forest_, columns_, std::span(baseline.view().data, baseline.view().features));
  }

  void write_leaves() {
    const std::size_t rows = matrix_.view().rows;
    std::vector<std::int32_t> leaves(rows * forest_.trees.size());
    scorer_->leaves(matrix_.view(), leaves, pool_);
    if (!forest_.leaf_ids.empty()) name_leaves(leaves);
    const std::size_t shape[] = {rows, forest_.trees.size()};
    write_npy(options_.leaves, leaves, shape);
  }

  /// Numbers within a tree to the names that the trainer gives its leaves.
  void name_leaves(std::vector<std::int32_t>& leaves) const {
    const std::size_t trees = forest_.trees.size();
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const std::int32_t leaf = forest_.trees[i % trees].leaf_begin + leaves[i];
      leaves[i] = forest_.leaf_ids[static_cast<std::size_t>(leaf)];
    }
  }

  /// Rows x outputs x (features + 1), the last column f(baseline). Returns rows per second.
  double write_contributions() {
    const FeatureMatrixView rows = matrix_.view();
    const std::size_t outputs = static_cast<std::size_t>(forest_.outputs);
    const std::size_t width = rows.features + 1;
    std::vector<double> values(rows.rows * outputs * width);
    const auto explain_rows = [&](std::size_t begin, std::size_t end, int) {
      ExplainScratch scratch;
      std::vector<double> phi(outputs * rows.features);
      for (std::size_t r = begin; r < end; ++r) {
        explainer_->explain(std::span(rows.row(r), rows.features), phi, scratch);
        for (std::size_t o = 0; o < outputs; ++o) {
          double* to = values.data() + (r * outputs + o) * width;
          std::copy_n(phi.data() + o * rows.features, rows.features, to);
          to[rows.features] = explainer_->baseline_score(static_cast<std::int32_t>(o));
        }
      }
    };
    const double rate = rate_of(rows.rows, options_.repeat, [&] {
      pool_.parallel_for(rows.rows, explain_grain, explain_rows);
    });
    const std::vector<std::size_t> shape =
        outputs == 1 ? std::vector<std::size_t>{rows.rows, width}
                     : std::vector<std::size_t>{rows.rows, outputs, width};
    write_npy(options_.contributions, values, shape);
    return rate;
  }

  void write_json(double rate, double explained_rate) const {
    std::string text = fmt::format("{{\"rows_per_s\":{:.1f},", rate);
    if (explainer_) text += fmt::format("\"explained_rows_per_s\":{:.1f},", explained_rate);
    text += fmt::format("\"kernel\":\"{}\",\"isa\":\"{}\",\"backend\":\"{}\",\"threads\":{}}}\n",
                        scorer_->kernel(), scorer_->isa(), backend_, pool_.threads());
    std::ofstream out(options_.json, std::ios::binary | std::ios::trunc);
    out << text << std::flush;
    if (!out) throw RunError(fmt::format("{}: cannot be written", options_.json));
  }

  const ScoreOptions& options_;
  Forest forest_;
  NpyMatrix matrix_;
  ThreadPool pool_;
  std::vector<std::int32_t> columns_;
  std::string_view backend_;
  std::unique_ptr<Explainer> explainer_;
  std::unique_ptr<ForestScorer> scorer_;
};

}  // namespace

void add_score_command(CLI::App& app) {
  auto options = std::make_shared<ScoreOptions>();
  CLI::App* command = app.add_subcommand("score", "Score a matrix with one forest");
  command
      ->add_option("--model", options->model, "Model file: LightGBM text, XGBoost JSON or UBJSON")
      ->required();
  command->add_option("--rows", options->rows, ".npy, float32, rows x features, NaN = missing")
      ->required();
  command->add_option("--out", options->out, ".npy to write: float64 raw scores")->required();
  command->add_option("--leaves", options->leaves,
                      ".npy to write: int32 leaves, by the trainer's names");
  CLI::Option* baseline =
      command->add_option("--baseline", options->baseline, ".npy, float32, shape (1, features)");
  CLI::Option* contributions = command->add_option(
      "--contributions", options->contributions,
      ".npy to write: exact Shapley values against the baseline, last column f(baseline)");
  baseline->needs(contributions);
  contributions->needs(baseline);
  command->add_option("--backend", options->backend, "auto, cpu or cuda")->capture_default_str();
  command->add_option("--threads", options->threads, "Threads; all cores unless given")
      ->check(CLI::Range(1, 1024));
  command->add_option("--repeat", options->repeat, "Timed passes; the median is reported")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--json", options->json, "File for the rates, kernel and threads");
  command->callback([options] {
    check_outputs(*options);
    ScoreRun(*options).run();
  });
}

}  // namespace tidemark
