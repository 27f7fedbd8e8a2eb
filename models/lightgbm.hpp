// Importer of LightGBM text models (version v3 and v4) into the canonical forest.
#pragma once

#include <string_view>

#include "kernels/data/forest.hpp"

namespace tidemark {

/// `name` stands in messages. Throws UsageError with one line that names the line and construct for
/// a file that is damaged or uses what is not supported.
Forest parse_lightgbm(std::string_view text, std::string_view name);

}  // namespace tidemark
