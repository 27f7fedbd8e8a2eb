// The CUDA scorer's door: no CUDA type in it, so that scorer.cpp compiles in both flavours. Defined
// only where TIDEMARK_WITH_CUDA is; scorer.cpp refuses the backend elsewhere.
#pragma once

#include <memory>

#include "kernels/forest/forest_image.hpp"
#include "kernels/forest/scorer.hpp"

namespace tidemark {

/// Copies the image to the device. Throws RunError when the device fails.
std::unique_ptr<ForestScorer> make_forest_scorer_cuda(const ForestImage& image);

}  // namespace tidemark
