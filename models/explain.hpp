// Why a row scores as it does: exact baseline Shapley values against one reference row. A feature's
// value is its average effect, over all orders, of being changed from the reference to the row.
// Built once at load; `explain` may be called from many threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/data/forest.hpp"

namespace tidemark {

class Explainer {
 public:
  /// `columns[f]` is the matrix column of the model's feature f; `baseline_row` a row of that
  /// matrix.
  Explainer(const Forest& forest, std::span<const std::int32_t> columns,
            std::span<const float> baseline_row);
  ~Explainer();
  Explainer(Explainer&&) noexcept;
  Explainer& operator=(Explainer&&) noexcept;

  /// Sets `phi`: outputs x matrix columns, in float64, summed in tree order (no other order ever).
  /// For each output the values add up to f(row) - f(baseline), raw scores, but for rounding.
  void explain(std::span<const float> row, std::span<double> phi) const;
  /// Raw score of the reference row, as the scorer gives it.
  double baseline_score(std::int32_t output = 0) const;
  std::int32_t outputs() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace tidemark
