#include "kernels/runtime/thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

TEST(ThreadPool, EveryIndexIsVisitedOnceWhateverTheNumbers) {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::size_t count : {0u, 1u, 7u, 1000u}) {
      for (const std::size_t grain : {0u, 1u, 3u, 5000u}) {
        std::vector<std::atomic<int>> seen(count);
        pool.parallel_for(count, grain, [&](std::size_t begin, std::size_t end, int worker) {
          EXPECT_LT(begin, end);
          EXPECT_LE(end - begin, std::max<std::size_t>(grain, 1));
          EXPECT_TRUE(worker >= 0 && worker < threads);
          for (std::size_t i = begin; i < end; ++i) ++seen[i];
        });
        for (const auto& times : seen) EXPECT_EQ(times, 1);
      }
    }
  }
}

TEST(ThreadPool, NoTwoWorkersShareANumberAtATime) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  pool.parallel_for(2000, 1, [&](std::size_t, std::size_t, int worker) {
    EXPECT_EQ(++inside[static_cast<std::size_t>(worker)], 1);
    --inside[static_cast<std::size_t>(worker)];
  });
}

TEST(ThreadPool, AnErrorReachesTheCallerAndThePoolLivesOn) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const auto fail = [](std::size_t begin, std::size_t, int) {
      if (begin == 50) throw std::runtime_error("row 50");
    };
    EXPECT_THROW(pool.parallel_for(100, 1, fail), std::runtime_error);
    std::atomic<int> sum = 0;
    pool.parallel_for(100, 7, [&](std::size_t begin, std::size_t end, int) {
      sum += static_cast<int>(end - begin);
    });
    EXPECT_EQ(sum, 100);
  }
}

TEST(ThreadPool, LessThanOneThreadIsAUsageError) {
  EXPECT_THROW(ThreadPool(0), UsageError);
}

}  // namespace
}  // namespace tidemark
