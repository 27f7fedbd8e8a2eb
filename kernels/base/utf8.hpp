// Whether bytes are UTF-8, for files that are read once at load (models, YAML): plain code, no
// SIMD.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tidemark {

/// Offset of the first byte that does not continue valid UTF-8, or nothing.
std::optional<std::size_t> invalid_utf8_offset(std::string_view text);

}  // namespace tidemark
