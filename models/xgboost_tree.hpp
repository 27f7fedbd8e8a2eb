// One tree of an XGBoost document onto a forest.
#pragma once

#include <cstdint>

#include "kernels/data/forest.hpp"
#include "models/model_document.hpp"

namespace tidemark {

/// Appends the tree; its leaves, times `weight` in float32, add to `output`. Nodes that the trainer
/// deleted are never reached and left out. Throws UsageError at the place that does not fit.
void add_xgboost_tree(const DocumentPlace& tree, std::int32_t output, float weight, Forest& forest);

}  // namespace tidemark
