// A release: one fingerprint for everything that decides (models, policy, reason table, feature
// spec, engine), and the JSON document that releases.v1 publishes under it. Pure function of its
// inputs.
#pragma once

#include <string>
#include <string_view>

#include "models/bundle.hpp"

namespace tidemark {

struct Release {
  std::string fingerprint;  // 12 hex digits
  std::string document;     // JSON, begins with {"release":"<fingerprint>",
};

/// `spec_text` is the feature spec in full, published beside its fingerprint.
Release make_release(const Bundle& bundle, std::string_view spec_fingerprint,
                     std::string_view spec_text, std::string_view engine_version);

/// Hex SHA-256 of bytes.
std::string sha256_hex(std::string_view bytes);

}  // namespace tidemark
