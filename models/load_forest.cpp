// A model file of any trainer: told apart by content, never by its name.
#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "kernels/base/failure.hpp"
#include "models/lightgbm.hpp"

namespace tidemark {
namespace {

constexpr std::size_t file_bytes_max = std::size_t{1} << 31;

}  // namespace

Forest load_forest(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error || !std::filesystem::is_regular_file(file)) {
    throw UsageError(fmt::format("{}: cannot be read as a model file", file.string()));
  }
  if (size > file_bytes_max) {
    throw UsageError(fmt::format("{}: larger than 2 GiB", file.string()));
  }
  std::ifstream in(file, std::ios::binary);
  std::string text(size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size))) {
    throw UsageError(fmt::format("{}: cannot be read", file.string()));
  }
  // XGBoost writes a JSON object or its binary form, which both start with a brace.
  if (!text.empty() && text.front() == '{') {
    throw UsageError(fmt::format("{}:1: XGBoost models are not supported yet", file.string()));
  }
  return parse_lightgbm(text, file.string());
}

}  // namespace tidemark
