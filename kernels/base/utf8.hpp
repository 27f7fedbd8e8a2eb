// Whether bytes are UTF-8, and what of them may stand in a message, for files that are read once at
// load (models, YAML): plain code, no SIMD.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark {

/// Offset of the first byte that does not continue valid UTF-8, or nothing.
std::optional<std::size_t> invalid_utf8_offset(std::string_view text);

/// Text of a file that nobody trusts, fit for one line of a terminal: '?' for control characters
/// and for what is no UTF-8, at most `bytes_max` bytes, cut between characters and then with "...".
std::string one_line(std::string_view text, std::size_t bytes_max);

}  // namespace tidemark
