// Scoring: the quickstart's fraud forest over rows around its cuts, by batch size, checked against
// the slow oracle before the clock starts.
#include <benchmark/benchmark.h>

#include <random>
#include <stdexcept>
#include <utility>

#include "kernels/forest/scorer.hpp"
#include "models/forest_oracle.hpp"
#include "models/load_forest.hpp"

namespace tidemark {
namespace {

void score_quickstart_fraud(benchmark::State& state) {
  const Forest forest = load_forest(TIDEMARK_SOURCE_DIR "/examples/quickstart/bundle/fraud.txt");
  const std::size_t features = forest.feature_names.size();
  const auto rows = static_cast<std::size_t>(state.range(0));
  std::vector<std::int32_t> columns(features);
  for (std::size_t f = 0; f < features; ++f) columns[f] = static_cast<std::int32_t>(f);
  // Values near the cuts of their own feature, so that rows part as real ones do.
  std::vector<std::vector<double>> cuts(features, {0.0});
  for (const ForestNode& node : forest.nodes) {
    cuts[static_cast<std::size_t>(node.feature)].push_back(node.threshold);
  }
  std::mt19937 random(7);
  FeatureMatrix matrix;
  matrix.resize(rows, features);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t f = 0; f < features; ++f) {
      matrix.row(r)[f] = static_cast<float>(cuts[f][random() % cuts[f].size()]);
    }
  }
  ThreadPool pool(1);
  const auto scorer = make_forest_scorer(forest, columns, Backend::cpu);
  std::vector<double> scores(rows);
  scorer->score(matrix.view(), scores, pool);
  for (std::size_t r = 0; r < rows; ++r) {
    double expected = 0;
    oracle_score(forest, std::as_const(matrix).row(r), {&expected, 1});
    if (expected != scores[r]) throw std::logic_error("a score differs from the oracle's");
  }
  for (auto _ : state) {
    scorer->score(matrix.view(), scores, pool);
    benchmark::DoNotOptimize(scores.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetLabel(std::string(scorer->kernel()) + " " + std::string(scorer->isa()));
}
BENCHMARK(score_quickstart_fraud)->Arg(1)->Arg(32)->Arg(512)->Arg(4096);

}  // namespace
}  // namespace tidemark
