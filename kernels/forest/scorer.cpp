#include "kernels/forest/scorer.hpp"

#include "kernels/base/failure.hpp"
#include "kernels/forest/forest_cuda.hpp"
#include "kernels/forest/scorer_cpu.hpp"

namespace tidemark {

std::unique_ptr<ForestScorer> make_forest_scorer(const Forest& forest,
                                                 std::span<const std::int32_t> columns,
                                                 Backend backend) {
  ForestImage image = make_forest_image(forest, columns);
  if (backend == Backend::cuda) {
#ifdef TIDEMARK_WITH_CUDA
    return make_forest_scorer_cuda(image);
#else
    throw UsageError("backend: this build has no CUDA");
#endif
  }
  return make_forest_scorer_cpu(std::move(image));
}

}  // namespace tidemark
