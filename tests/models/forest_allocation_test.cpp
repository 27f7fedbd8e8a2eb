// After warm-up a call allocates nothing, whatever its size: the program's own operator new counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <numeric>

#include "kernels/forest/scorer.hpp"
#include "models/explain.hpp"
#include "tests/models/random_forest_fixture.hpp"

namespace {
std::atomic<std::size_t> allocations{0};
}

// Kept out of line: the compiler would see malloc's memory given to a plain delete, and warn.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes ? bytes : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace tidemark {
namespace {

TEST(ForestAllocation, NoneAfterTheFirstCall) {
  std::mt19937_64 random(11);
  const Forest forest =
      random_forest(random, {.trees = 20, .leaves_max = 300, .features = 6, .outputs = 2});
  const std::vector<std::int32_t> columns = {0, 1, 2, 3, 4, 5};
  const auto scorer = make_forest_scorer(forest, columns, Backend::cpu);
  constexpr std::size_t rows = 3000;
  std::vector<float> matrix(rows * 6);
  for (float& value : matrix) value = static_cast<float>(random() % 1000) / 500 - 1;
  std::vector<double> scores(rows * 2);
  std::vector<std::int32_t> leaves(rows * forest.trees.size());
  ThreadPool pool(3);
  scorer->score({matrix.data(), rows, 6, 6}, scores, pool);
  const Explainer explainer(forest, columns, std::span(matrix).first(6));
  std::vector<double> phi(12);
  ExplainScratch scratch;
  explainer.explain(std::span(matrix).first(6), phi, scratch);

  const std::size_t before = allocations.load();
  for (const std::size_t count : {std::size_t{1}, std::size_t{20}, std::size_t{700}, rows}) {
    scorer->score({matrix.data(), count, 6, 6}, scores, pool);
    scorer->leaves({matrix.data(), count, 6, 6}, leaves, pool);
  }
  for (std::size_t r = 0; r < 50; ++r) {
    explainer.explain(std::span(matrix).subspan(r * 6, 6), phi, scratch);
  }
  EXPECT_EQ(allocations.load() - before, 0u);
}

}  // namespace
}  // namespace tidemark
