#include "kernels/forest/scorer.hpp"

#include "kernels/base/failure.hpp"
#include "kernels/forest/forest_cuda.hpp"
#include "kernels/forest/linear_scorer.hpp"
#include "kernels/forest/scorer_cpu.hpp"

namespace tidemark {
namespace {

std::unique_ptr<ForestScorer> make_tree_scorer(ForestImage image, Backend backend) {
  if (backend == Backend::cuda) {
#ifdef TIDEMARK_WITH_CUDA
    return make_forest_scorer_cuda(image);
#else
    throw UsageError("backend: this build has no CUDA");
#endif
  }
  return make_forest_scorer_cpu(std::move(image));
}

}  // namespace

std::unique_ptr<ForestScorer> make_forest_scorer(const Forest& forest,
                                                 std::span<const std::int32_t> columns,
                                                 Backend backend) {
  auto trees = make_tree_scorer(make_forest_image(forest, columns), backend);
  if (forest.linear.empty()) return trees;
  return add_linear_terms(std::move(trees), forest.linear, columns);
}

}  // namespace tidemark
