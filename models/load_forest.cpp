// A model file of any trainer: told apart by content, never by its name.
#include "models/load_forest.hpp"

#include <fmt/format.h>

#include <system_error>

#include "kernels/base/failure.hpp"
#include "kernels/base/read_file.hpp"
#include "kernels/base/sha256.hpp"
#include "models/lightgbm.hpp"
#include "models/model_document.hpp"
#include "models/scorecard.hpp"
#include "models/xgboost.hpp"

namespace tidemark {
namespace {

/// Formats that people have and that would only be called damaged.
void refuse_others(std::string_view bytes, std::string_view name) {
  const std::pair<std::string_view, const char*> others[] = {
      {"CBM1", "CatBoost models are"},
      {"binf", "XGBoost's old binary models are"},
      {"bs64", "XGBoost's old binary models are"},
      {"\x80", "pickled Python objects are"},
      {"PK\x03\x04", "zip archives are"},
      {"\x1f\x8b", "compressed files are"},
  };
  for (const auto& [start, what] : others) {
    if (bytes.starts_with(start)) throw UsageError(fmt::format("{}: {} not supported", name, what));
  }
}

}  // namespace

Forest parse_forest(std::string_view bytes, std::string_view name) {
  refuse_others(bytes, name);
  Forest forest;
  if (looks_like_scorecard(bytes)) {
    forest = parse_scorecard(bytes, name);
  } else if (!bytes.starts_with('{')) {
    forest = parse_lightgbm(bytes, name);
  } else if (looks_like_ubjson(bytes)) {
    forest = import_xgboost(parse_ubjson(bytes, name), name);
  } else {
    forest = import_xgboost(parse_json(bytes, name), name);
  }
  forest.sha256 = sha256_hex(bytes);
  return forest;
}

Forest load_forest(const std::filesystem::path& file) {
  std::error_code error;
  // A device may never end, and a pipe never begin.
  if (!std::filesystem::is_regular_file(file, error)) {
    throw UsageError(fmt::format("{}: cannot be read as a model file", file.string()));
  }
  return parse_forest(read_file(file, model_bytes_max), file.string());
}

}  // namespace tidemark
