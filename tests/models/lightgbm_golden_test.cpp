// The trainer's own word: LightGBM trains models of every kind, predicts hostile rows, and we must
// give the same score bits and the same leaves. Skipped where the Python environment of tools/setup
// is not there.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "kernels/forest/link.hpp"
#include "tests/models/golden.hpp"

namespace tidemark {
namespace {

/// How many doubles lie between two of the same sign.
std::int64_t ulps_apart(double a, double b) {
  return std::abs(std::bit_cast<std::int64_t>(a) - std::bit_cast<std::int64_t>(b));
}

/// The trainer's own exp is the C library's, so the last bits may differ; softmax adds several.
void expect_links(const golden::Case& c, const Forest& forest) {
  std::vector<double> predictions = c.scores;
  apply_link(forest, predictions);
  const std::int64_t allowed = forest.link == Link::softmax ? 4 : 2;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    ASSERT_LE(ulps_apart(predictions[i], c.links[i]), allowed) << "prediction " << i;
  }
}

TEST(LightgbmGolden, EveryKindOfModelGivesTheTrainersBits) {
  const std::size_t cases = golden::check_all("make_lightgbm.py", expect_links);
  if (cases == 0 && !HasFailure()) GTEST_SKIP() << "no LightGBM: tools/setup python brings it";
  EXPECT_GE(cases, 20u);
}

}  // namespace
}  // namespace tidemark
