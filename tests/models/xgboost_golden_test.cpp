// The trainer's own word: XGBoost trains models of every kind, predicts hostile rows, and we must
// give the bits of its float32 margin and its leaves. Skipped where the Python environment of
// tools/setup is not there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/forest/link.hpp"
#include "tests/models/golden.hpp"

namespace tidemark {
namespace {

/// The trainer's predictions are float32, with its own exp.
void expect_links(const golden::Case& c, const Forest& forest) {
  std::vector<double> predictions = c.scores;
  apply_link(forest, predictions);
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    ASSERT_NEAR(predictions[i], c.links[i], 1e-5 * std::max(1.0, std::fabs(c.links[i])))
        << "prediction " << i;
  }
}

TEST(XgboostGolden, EveryKindOfModelGivesTheTrainersBits) {
  const std::size_t cases = golden::check_all("make_xgboost.py", expect_links);
  if (cases == 0 && !HasFailure()) GTEST_SKIP() << "no XGBoost: tools/setup python brings it";
  EXPECT_GE(cases, 25u);
}

}  // namespace
}  // namespace tidemark
