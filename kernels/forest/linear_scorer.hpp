// Linear terms on top of a scorer's sums, for forests that have them. On the host for every
// backend, in the order of the terms: the same bits everywhere.
#pragma once

#include <memory>
#include <span>

#include "kernels/forest/scorer.hpp"

namespace tidemark {

/// `columns[f]` is the matrix column of the model's feature f. The forest has one output.
std::unique_ptr<ForestScorer> add_linear_terms(std::unique_ptr<ForestScorer> trees,
                                               std::span<const LinearTerm> terms,
                                               std::span<const std::int32_t> columns);

}  // namespace tidemark
