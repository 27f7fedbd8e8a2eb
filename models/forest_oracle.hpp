// The slow, obvious reference: one row down one tree of the canonical forest, in double, the way
// the trainer's own predictor reads. Tests, fuzzers and benchmarks compare everything else with it;
// nothing of kernels/forest is in it.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/data/forest.hpp"

namespace tidemark {

/// Leaf number within tree `tree`. `features` in the order of the model's own feature list.
std::int32_t oracle_leaf(const Forest& forest, std::size_t tree, std::span<const float> features);
/// Raw scores, one per output, in tree order.
void oracle_score(const Forest& forest, std::span<const float> features, std::span<double> out);

}  // namespace tidemark
