// Why a row scores as it does: exact baseline Shapley values against one reference row, or the mean
// of those against several. A feature's value is its average effect, over all orders, of being
// changed from the reference to the row.
// Built once at load; many threads may call `explain` at once, each with its own scratch.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/data/forest.hpp"

namespace tidemark {

/// What one thread needs to explain; grows to its size at the first use.
struct ExplainScratch {
  std::vector<std::uint8_t> taken;  // per column: undecided, the row's or the reference's side
};

/// How well explained rows added up: a sample of them is scored once more, in float64.
struct Additivity {
  std::uint64_t rows = 0;  // that were compared
  double error_max = 0;    // |sum of values + f(baseline) - f(row)| / max(1, |f(row)|)
};

class Explainer {
 public:
  static constexpr std::uint64_t sampled_every = 256;  // the first of so many rows

  /// `columns[f]` is the matrix column of the model's feature f; `baseline_rows` are `references`
  /// rows of that matrix, one after the other. The cost is in proportion to their number. Throws
  /// UsageError where a path has more than 1000 different columns.
  Explainer(const Forest& forest, std::span<const std::int32_t> columns,
            std::span<const float> baseline_rows, std::size_t references = 1);
  ~Explainer();
  Explainer(Explainer&&) noexcept;
  Explainer& operator=(Explainer&&) noexcept;

  /// Sets `phi`: outputs x matrix columns, in float64, summed in tree order. For each output the
  /// values add up to f(row) - f(baseline), raw scores summed in float64, but for rounding; with
  /// several references f(baseline) is their mean.
  void explain(std::span<const float> row, std::span<double> phi, ExplainScratch& scratch) const;
  /// The same with a scratch of the calling thread's own.
  void explain(std::span<const float> row, std::span<double> phi) const;
  /// Raw score of the reference row, summed in float64; the mean of several.
  double baseline_score(std::int32_t output = 0) const;
  std::int32_t outputs() const;
  /// Of all calls so far, from any thread.
  Additivity additivity() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace tidemark
