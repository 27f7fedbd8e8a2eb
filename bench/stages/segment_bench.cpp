// Grouping a batch by merchant, for a flat and for a hot distribution.
#include <benchmark/benchmark.h>

#include <random>

#include "kernels/window/segment.hpp"

namespace tidemark {
namespace {

void segment_rows(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto hot_percent = static_cast<std::uint32_t>(state.range(1));
  constexpr std::uint32_t slots = 100'000;
  std::mt19937 random(7);
  std::vector<std::uint32_t> slot_of(rows);
  for (std::uint32_t& slot : slot_of) {
    slot = random() % 100 < hot_percent ? 17 : static_cast<std::uint32_t>(random() % slots);
  }
  const auto segmenter = make_segmenter(Backend::cpu);
  Segments segments;
  for (auto _ : state) {
    segmenter->run(slot_of, slots, segments);
    benchmark::DoNotOptimize(segments.order.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(segment_rows)->Args({10'000, 0})->Args({10'000, 90})->Args({50'000, 0});

}  // namespace
}  // namespace tidemark
