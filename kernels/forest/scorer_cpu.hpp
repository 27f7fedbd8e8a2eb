// The CPU scorer: bit-sliced blocks where a batch fills them, walking where it does not. Both give
// the same bits. One scratch a worker, made at the first call that uses it.
#pragma once

#include <memory>

#include "kernels/forest/forest_image.hpp"
#include "kernels/forest/scorer.hpp"

namespace tidemark {

std::unique_ptr<ForestScorer> make_forest_scorer_cpu(ForestImage image);

}  // namespace tidemark
