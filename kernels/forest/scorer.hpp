// Scoring a matrix with one forest: compiled once at load, then called per batch without
// allocation. The same bits on every backend, instruction set, thread count and split into batches.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/data/forest.hpp"
#include "kernels/runtime/backend.hpp"
#include "kernels/runtime/thread_pool.hpp"

namespace tidemark {

class ForestScorer {
 public:
  virtual ~ForestScorer() = default;
  /// Raw scores before the link, in the trainer's order of summation. `out`: rows x outputs
  /// doubles.
  virtual void score(FeatureMatrixView rows, std::span<double> out, ThreadPool& pool) = 0;
  /// Leaf numbers within their tree. `out`: rows x trees.
  virtual void leaves(FeatureMatrixView rows, std::span<std::int32_t> out, ThreadPool& pool) = 0;
  virtual std::string_view kernel() const = 0;  // name of the kernel chosen at load
  /// Why that one: what of the forest's shape and the machine has decided. May be empty.
  virtual std::string why() const { return {}; }
  virtual std::string_view isa() const = 0;  // instruction set or device
  virtual std::size_t bytes() const = 0;     // of the compiled forest, without working memory
};

/// `columns[f]` is the matrix column of the model's feature f. The forest is copied into images.
std::unique_ptr<ForestScorer> make_forest_scorer(const Forest& forest,
                                                 std::span<const std::int32_t> columns,
                                                 Backend backend);

}  // namespace tidemark
