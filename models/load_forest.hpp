// A model file of any trainer into the canonical forest.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "kernels/data/forest.hpp"

namespace tidemark {

/// A larger model file is refused before it is parsed.
inline constexpr std::size_t model_bytes_max = std::size_t{2} << 30;

/// LightGBM text, XGBoost JSON or UBJSON, a scorecard or logistic model in YAML, told apart by
/// content. Throws UsageError with one line that names the file, the place and the construct for a
/// file that is damaged, too large or uses what is not supported.
Forest load_forest(const std::filesystem::path& file);

/// The same from the file's bytes; `name` stands in messages.
Forest parse_forest(std::string_view bytes, std::string_view name);

}  // namespace tidemark
