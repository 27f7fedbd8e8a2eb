#include "kernels/base/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace tidemark {
namespace {

/// Bytes of the sequence that `lead` starts, 0 for a byte that starts none.
std::size_t sequence_bytes(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;  // a continuation, or an overlong form of ASCII
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

/// The first place from `at` on whose eight bytes are not all ASCII, or that has fewer behind it.
std::size_t skip_ascii(std::string_view text, std::size_t at) {
  for (std::uint64_t eight; text.size() - at >= sizeof(eight); at += sizeof(eight)) {
    std::memcpy(&eight, text.data() + at, sizeof(eight));
    if ((eight & 0x8080808080808080u) != 0) break;
  }
  return at;
}

}  // namespace

std::optional<std::size_t> invalid_utf8_offset(std::string_view text) {
  for (std::size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const std::size_t bytes = sequence_bytes(byte(0));
    if (bytes == 0 || at + bytes > text.size()) return at;
    for (std::size_t i = 1; i < bytes; ++i) {
      if ((byte(i) & 0xC0) != 0x80) return at;
    }
    // Overlong three and four byte forms, surrogates, and beyond U+10FFFF.
    if (bytes == 3 && byte(0) == 0xE0 && byte(1) < 0xA0) return at;
    if (bytes == 3 && byte(0) == 0xED && byte(1) > 0x9F) return at;
    if (bytes == 4 && byte(0) == 0xF0 && byte(1) < 0x90) return at;
    if (bytes == 4 && byte(0) == 0xF4 && byte(1) > 0x8F) return at;
    at += bytes;
  }
  return std::nullopt;
}

std::string one_line(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = sequence_bytes(static_cast<unsigned char>(text[at]));
    const std::string_view character = text.substr(at, bytes == 0 ? 1 : bytes);
    const bool valid = !invalid_utf8_offset(character);
    // U+0080 to U+009F are control characters too: some terminals obey them.
    const bool control = character[0] == 0x7F || (character[0] >= 0 && character[0] < 0x20) ||
                         (valid && character[0] == '\xC2' && character[1] < '\xA0');
    if (out.size() + (valid && !control ? character.size() : 1) > bytes_max) return out + "...";
    if (valid && !control) {
      out += character;
    } else {
      out += '?';
    }
    at += valid ? character.size() : 1;
  }
  return out;
}

}  // namespace tidemark
