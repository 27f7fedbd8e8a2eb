// The window and the delay of a feature, from text like 24h or 12mo to buckets of a tier. Part of
// reading a spec; no state.
#pragma once

#include "features/spec.hpp"
#include "kernels/base/strict_yaml.hpp"

namespace tidemark {

/// Reads `window` and `delay` into tier, length and delay. Throws UsageError where they do not fit
/// a ring.
void read_feature_window(YamlMap& map, const std::string& of_family, Feature& feature);

/// Reads a `delay` in days.
void read_delay_days(YamlMap& map, Feature& feature);

/// Reads `matures`, how old a payment is when its feedback is in.
void read_maturity(YamlMap& map, Feature& feature);

/// Reads `half_life` into tier and length.
void read_half_life(YamlMap& map, Feature& feature);

}  // namespace tidemark
