// Models that people write by hand, in YAML: a scorecard (points by bin) and a logistic regression
// (coefficients). Both become the canonical forest, so that they are scored, explained and released
// as any other: a scorecard's characteristic is a tree with a leaf for each bin.
#pragma once

#include <string_view>

#include "kernels/data/forest.hpp"

namespace tidemark {

/// Whether a file's first key is one of theirs.
bool looks_like_scorecard(std::string_view text);

/// The raw score is the log odds of the bad outcome. `name` stands in messages. Throws UsageError
/// "name:line:column: key: what".
Forest parse_scorecard(std::string_view text, std::string_view name);

}  // namespace tidemark
