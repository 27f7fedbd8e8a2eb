// The window over a partition's last records, against the plainest count.
#include "stream/pipeline/dead_letter_window.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace tidemark {
namespace {

std::uint64_t count_plainly(const std::vector<bool>& all, std::size_t last) {
  const std::size_t first = all.size() - std::min(all.size(), last);
  return static_cast<std::uint64_t>(
      std::count(all.begin() + static_cast<std::ptrdiff_t>(first), all.end(), true));
}

TEST(DeadLetterWindow, CountsTheLastRecordsAlsoFromACheckpointOn) {
  std::mt19937 random(5);
  for (const std::size_t last : {1, 2, 7, 100}) {
    DeadLetterWindow window(last);
    std::vector<bool> all;
    for (int i = 0; i < 500; ++i) {
      all.push_back(random() % 3 == 0);
      window.add(all.back());
      ASSERT_EQ(window.count(), count_plainly(all, last)) << "record " << i << " of " << last;
      if (i % 10 != 0) continue;
      DeadLetterWindow restored(last);
      window.each_age([&](std::uint64_t age) { restored.restore_age(age); });
      ASSERT_EQ(restored.count(), window.count());
      window = restored;
    }
  }
}

TEST(DeadLetterWindow, ASmallerWindowTakesOverWhatFits) {
  DeadLetterWindow large(10), small(3);
  for (const bool dead : {true, false, true, true, false}) large.add(dead);
  large.each_age([&](std::uint64_t age) { small.restore_age(age); });
  EXPECT_EQ(small.count(), 2);
  small.add(false);
  EXPECT_EQ(small.count(), 1);
}

}  // namespace
}  // namespace tidemark
