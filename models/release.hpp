// A release: one fingerprint for everything that decides (models, policy, reason table, feature
// spec, engine, settings of time), and the JSON document that releases.v1 publishes under it. Pure
// function of its inputs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "models/bundle.hpp"

namespace tidemark {

struct Release {
  std::string fingerprint;  // 12 hex digits
  std::string document;     // JSON, begins with {"release":"<fingerprint>",
};

/// What decides beside the bundle. Hours of the configuration's `time`: they change bits too.
struct ReleaseParts {
  std::string spec_fingerprint;
  std::string spec_text;  // the feature spec in full, published beside its fingerprint
  std::string engine_version;
  std::string zone = "UTC";
  std::int64_t future_tolerance_h = 0, dedup_horizon_h = 0, sweep_interval_h = 0;
};

Release make_release(const Bundle& bundle, const ReleaseParts& parts);

}  // namespace tidemark
