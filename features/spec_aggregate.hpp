// Aggregates of a spec: their windows, and the options that each has. Used by spec.cpp alone.
#pragma once

#include <string>

#include "features/spec.hpp"
#include "kernels/base/strict_yaml.hpp"

namespace tidemark {

/// The words of the member of a family that is being read; empty where it is no family.
struct FamilyWords {
  std::string aggregate, window;
};

/// Reads `aggregate`, `window`, `delay` and the aggregate's own options into `feature`, whose
/// measure is given.
void read_aggregate_of(YamlMap& map, const FamilyWords& family, const Measure& measure,
                       Feature& feature);
/// Reads `unit`, h or d.
void read_time_unit(YamlMap& map, Feature& feature);

}  // namespace tidemark
