// Base64 of RFC 4648 with padding: bytes that may be no text, in JSON. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemark {

std::string base64(std::string_view bytes);

/// Strict: other characters, missing or wrong padding and bits beyond the last byte give nothing.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace tidemark
