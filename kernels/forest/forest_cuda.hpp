// The CUDA driver behind make_forest_scorer. No CUDA header is needed to include this: both
// flavours define it, the CPU flavour by refusing.
#pragma once

#include <memory>

#include "kernels/forest/forest_image.hpp"
#include "kernels/forest/scorer.hpp"

namespace tidemark {

/// How rows and trees are spread over threads; the scores are the same bits for each.
enum class CudaSpread {
  by_batch,         // by what the number of rows makes fastest
  thread_per_tree,  // and a block per row
  one_row_per_thread,
  four_rows_per_thread,
};

/// Copies the image to the device, compiled into byte codes where it fits them. The pool of `score`
/// is not used. Throws UsageError where CUDA is not compiled in, RunError when the device fails.
std::unique_ptr<ForestScorer> make_forest_scorer_cuda(const ForestImage& image,
                                                      CudaSpread spread = CudaSpread::by_batch);

}  // namespace tidemark
