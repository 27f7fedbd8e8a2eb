// The objective line of a LightGBM text model: which link turns raw scores into predictions. Part
// of the importer, one thread at load.
#pragma once

#include "kernels/data/forest.hpp"
#include "models/text_reader.hpp"

namespace tidemark {

/// Sets objective, link and link_scale of `forest`, whose outputs are known. Throws UsageError for
/// what the trainer would not read the same way.
void read_lightgbm_objective(const TextReader& reader, const TextField& field, Forest& forest);

}  // namespace tidemark
