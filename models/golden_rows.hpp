// Golden rows: a few rows and the raw scores that the trainer gives them, kept in a bundle beside
// the model. They are scored when the bundle is loaded, so that a build or a machine that computes
// another score never decides.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/forest/scorer.hpp"

namespace tidemark {

struct GoldenRows {
  std::size_t features = 0;
  std::vector<float> values;   // rows x features, in the model's order; NaN = missing
  std::vector<double> scores;  // raw, before the link
  std::size_t count() const { return scores.size(); }
};

/// CSV: the model's feature names and `raw_score` as the header, a row a line, an empty field is
/// missing. Throws UsageError "file:line: what".
GoldenRows load_golden_rows(const std::filesystem::path& file, std::span<const std::string> names);

/// `columns[f]` is the column of feature f in a matrix of `width`. Throws UsageError, one line that
/// begins with `model`, for the first row whose score has other bits.
void check_golden_rows(const GoldenRows& golden, ForestScorer& scorer,
                       std::span<const std::int32_t> columns, std::size_t width,
                       std::string_view model);

}  // namespace tidemark
