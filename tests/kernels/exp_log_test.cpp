#include "kernels/base/exp_log.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "kernels/forest/link.hpp"

namespace tidemark {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Distance from the true value, which long double holds well enough, in ulps of the double
/// nearest.
double ulps(double got, long double truth) {
  const double near = static_cast<double>(truth);
  const double ulp = std::nextafter(std::fabs(near), infinity) - std::fabs(near);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - truth) / ulp);
}

TEST(ExpLog, StaysWithinTwoUlpOfTheTruth) {
  std::mt19937_64 random(5);
  double exp_worst = 0, log_worst = 0, logistic_worst = 0, softplus_worst = 0;
  for (int i = 0; i < 400000; ++i) {
    const double wide = std::uniform_real_distribution<double>(-700, 700)(random);
    const double near = std::uniform_real_distribution<double>(-3, 3)(random);
    for (const double x : {wide, near, near * 1e-9}) {
      exp_worst = std::max(exp_worst, ulps(exact_exp(x), std::exp(static_cast<long double>(x))));
    }
    for (const double x : {near * 10, near}) {
      const long double e = std::exp(static_cast<long double>(-x));
      logistic_worst = std::max(logistic_worst, ulps(exact_logistic(x), 1.0L / (1.0L + e)));
      const long double soft = std::log1p(std::exp(static_cast<long double>(x)));
      softplus_worst = std::max(softplus_worst, ulps(exact_softplus(x), soft));
    }
    const double any = std::fabs(double_of(random()));
    for (const double x : {any, std::exp(near), 1.0 + near * 1e-8}) {
      if (!std::isfinite(x) || x == 0) continue;
      log_worst = std::max(log_worst, ulps(exact_log(x), std::log(static_cast<long double>(x))));
    }
  }
  EXPECT_LT(exp_worst, 0.72);
  EXPECT_LT(log_worst, 1.0);
  EXPECT_LT(logistic_worst, 2.0);
  EXPECT_LT(softplus_worst, 2.0);
}

TEST(ExpLog, EdgesAreThoseOfTheMathematics) {
  EXPECT_EQ(exact_exp(0.0), 1.0);
  EXPECT_EQ(exact_exp(infinity), infinity);
  EXPECT_EQ(exact_exp(-infinity), 0.0);
  EXPECT_EQ(exact_exp(710.0), infinity);
  EXPECT_EQ(exact_exp(-746.0), 0.0);
  EXPECT_GT(exact_exp(-745.0), 0.0);
  EXPECT_LT(ulps(exact_exp(-720.5), std::exp(-720.5L)), 1.0);
  EXPECT_TRUE(std::isnan(exact_exp(std::nan(""))));
  EXPECT_EQ(exact_log(1.0), 0.0);
  EXPECT_EQ(exact_log(0.0), -infinity);
  EXPECT_EQ(exact_log(infinity), infinity);
  EXPECT_TRUE(std::isnan(exact_log(-1.0)));
  EXPECT_EQ(exact_logistic(-800.0), 0.0);
  EXPECT_EQ(exact_logistic(800.0), 1.0);
}

TEST(Link, EachObjectiveHasItsOwn) {
  EXPECT_EQ(apply_link(ForestLink{Link::identity, 1, 1, 1}, 0.25), 0.25);
  EXPECT_EQ(apply_link(ForestLink{Link::identity, 1, 4, 1}, 1.0), 0.25);
  EXPECT_EQ(apply_link(ForestLink{Link::signed_square, 1, 1, 1}, -3.0), -9.0);
  EXPECT_EQ(apply_link(ForestLink{Link::exponential, 1, 1, 1}, 0.0), 1.0);
  EXPECT_EQ(apply_link(ForestLink{Link::logistic, 2, 1, 1}, 1.0), exact_logistic(2.0));
  double scores[] = {1.0, 1.0, -1000.0};
  apply_link(ForestLink{Link::softmax, 1, 1, 3}, scores);
  EXPECT_EQ(scores[0], 0.5);
  EXPECT_EQ(scores[1], 0.5);
  EXPECT_EQ(scores[2], 0.0);
}

}  // namespace
}  // namespace tidemark
