// Escapes, numbers and quoting.
#include "stream/parse/json_text.hpp"

#include <cstddef>
#include <cstdint>

namespace tidemark {
namespace {

constexpr bool is_digit(char c) {
  return static_cast<unsigned char>(c - '0') < 10;
}

/// Four hex digits at `at`, or -1.
int hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const char c = text[i];
    const char lower = static_cast<char>(c | 0x20);
    if (is_digit(c)) {
      value = value * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + (lower - 'a' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    push(point);
  } else if (point < 0x800) {
    push(0xc0 | point >> 6);
    push(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    push(0xe0 | point >> 12);
    push(0x80 | (point >> 6 & 0x3f));
    push(0x80 | (point & 0x3f));
  } else {
    push(0xf0 | point >> 18);
    push(0x80 | (point >> 12 & 0x3f));
    push(0x80 | (point >> 6 & 0x3f));
    push(0x80 | (point & 0x3f));
  }
}

/// `at` stands behind the u; moved behind the escape, both halves of a pair taken.
bool append_unicode_escape(std::string_view text, std::size_t& at, std::string& out) {
  const int first = hex4(text, at);
  if (first < 0) return false;
  at += 4;
  if (first < 0xd800 || first > 0xdfff) {
    append_utf8(out, static_cast<std::uint32_t>(first));
    return true;
  }
  if (first > 0xdbff || text.substr(at, 2) != "\\u") return false;
  const int second = hex4(text, at + 2);
  if (second < 0xdc00 || second > 0xdfff) return false;
  at += 6;
  append_utf8(out, 0x10000u + (static_cast<std::uint32_t>(first - 0xd800) << 10) +
                       static_cast<std::uint32_t>(second - 0xdc00));
  return true;
}

}  // namespace

bool unescape_json(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      out.push_back(text[at++]);
      continue;
    }
    if (++at == text.size()) return false;
    const char escape = text[at++];
    switch (escape) {
      case '"':
      case '\\':
      case '/':
        out.push_back(escape);
        break;
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u':
        if (!append_unicode_escape(text, at, out)) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

bool is_json_number(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t first = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > first;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const std::size_t first = at;
  if (!digits()) return false;
  if (text[first] == '0' && at > first + 1) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at < text.size() && (text[at] | 0x20) == 'e') {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

std::string quote_for_message(std::string_view text) {
  constexpr std::size_t bytes_max = 48;
  constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out.push_back(c);
    } else {
      out += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
    }
  }
  out += text.size() > bytes_max ? "\"..." : "\"";
  return out;
}

}  // namespace tidemark
