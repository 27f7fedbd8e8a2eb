// From raw score to prediction: what a forest's objective does after the sum. Trivially copyable,
// so that host and device apply the same one. Needs no forest once made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/base/exp_log.hpp"
#include "kernels/base/host_device.hpp"
#include "kernels/data/forest.hpp"

namespace tidemark {

struct ForestLink {
  Link link = Link::identity;
  double scale = 1.0;    // logistic: 1 / (1 + exp(-scale * s))
  double divisor = 1.0;  // random forest: trees per output
  std::int32_t outputs = 1;
};

inline ForestLink link_of(const Forest& forest) {
  ForestLink link{forest.link, forest.link_scale, 1.0, forest.outputs};
  if (forest.average_output && forest.trees.size() > 0) {
    link.divisor =
        static_cast<double>(forest.trees.size() / static_cast<std::size_t>(forest.outputs));
  }
  return link;
}

/// Turns the raw scores of one row (link.outputs doubles) into predictions in place.
TIDEMARK_HD inline void apply_link(const ForestLink& link, double* scores) {
  for (std::int32_t o = 0; o < link.outputs; ++o) {
    if (link.divisor != 1.0) scores[o] /= link.divisor;
    const double s = scores[o];
    switch (link.link) {
      case Link::logistic:
        scores[o] = exact_logistic(link.scale * s);
        break;
      case Link::exponential:
        scores[o] = exact_exp(s);
        break;
      case Link::signed_square:
        scores[o] = s < 0 ? -(s * s) : s * s;
        break;
      case Link::softplus:
        scores[o] = exact_softplus(s);
        break;
      case Link::step:
        scores[o] = s > 0 ? 1.0 : 0.0;
        break;
      case Link::identity:
      case Link::softmax:
        break;
    }
  }
  if (link.link != Link::softmax) return;
  double most = scores[0], sum = 0;
  for (std::int32_t o = 1; o < link.outputs; ++o) most = scores[o] > most ? scores[o] : most;
  for (std::int32_t o = 0; o < link.outputs; ++o) sum += scores[o] = exact_exp(scores[o] - most);
  for (std::int32_t o = 0; o < link.outputs; ++o) scores[o] /= sum;
}

/// The same for a forest of one output.
TIDEMARK_HD inline double apply_link(const ForestLink& link, double score) {
  apply_link(link, &score);
  return score;
}

/// All rows of a scorer's output: rows x outputs doubles, in place.
inline void apply_link(const Forest& forest, std::span<double> scores) {
  const ForestLink link = link_of(forest);
  const std::size_t outputs = static_cast<std::size_t>(forest.outputs);
  for (std::size_t at = 0; at + outputs <= scores.size(); at += outputs) {
    apply_link(link, scores.data() + at);
  }
}

}  // namespace tidemark
