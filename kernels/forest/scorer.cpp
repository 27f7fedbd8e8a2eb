#include "kernels/forest/scorer.hpp"

#include <utility>

#include "kernels/forest/forest_cuda.hpp"
#include "kernels/forest/linear_scorer.hpp"
#include "kernels/forest/scorer_cpu.hpp"
#include "kernels/runtime/device_or_cpu.hpp"

namespace tidemark {
namespace {

class DeviceOrCpuScorer final : public ForestScorer {
 public:
  /// The image stays: the CPU's scorer is compiled from it when it is needed.
  explicit DeviceOrCpuScorer(ForestImage image)
      : image_(std::move(image)), driver_(make_forest_scorer_cuda(image_), [this] {
          return make_forest_scorer_cpu(std::move(image_));
        }) {}

  void score(FeatureMatrixView rows, std::span<double> out, ThreadPool& pool) override {
    driver_.run([&](ForestScorer& driver) { driver.score(rows, out, pool); });
  }
  void leaves(FeatureMatrixView rows, std::span<std::int32_t> out, ThreadPool& pool) override {
    driver_.run([&](ForestScorer& driver) { driver.leaves(rows, out, pool); });
  }
  std::string_view kernel() const override { return driver_.stage().kernel(); }
  std::string why() const override { return driver_.stage().why(); }
  std::string_view isa() const override { return driver_.stage().isa(); }
  std::size_t bytes() const override { return driver_.stage().bytes(); }

 private:
  ForestImage image_;
  DeviceOrCpu<ForestScorer> driver_;
};

std::unique_ptr<ForestScorer> make_tree_scorer(ForestImage image, Backend backend) {
  if (backend == Backend::cuda) return std::make_unique<DeviceOrCpuScorer>(std::move(image));
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
