// The members of one small JSON object by name, for what people edit and programs leave behind:
// letters, not events. Strict about the text, ignorant of what it means. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

enum class JsonKind : std::uint8_t { null, boolean, number, string };

/// `text`: a string unescaped; a number or a boolean as written.
struct JsonMember {
  std::string name;
  JsonKind kind = JsonKind::null;
  std::string text;
};

/// All members in their order; those of an object inside are named "outer.inner". Nothing, and a
/// sentence in `error`, for what is no such object: no UTF-8, no JSON, an array, objects deeper
/// than that, a name twice, bytes after the object.
std::optional<std::vector<JsonMember>> read_json_members(std::string_view text, std::string& error);

}  // namespace tidemark
