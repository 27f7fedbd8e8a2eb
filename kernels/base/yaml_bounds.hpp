// Bounds of a YAML text, checked on the parser's events before a tree is made of them: what takes
// memory, stack or time out of proportion to its size never becomes one.
#pragma once

#include <string>

namespace tidemark {

inline constexpr int yaml_depth_max = 64;
inline constexpr int yaml_nodes_max = 200'000;
/// Keys are found one by one, so a mapping costs the square of their number.
inline constexpr int yaml_keys_max = 4'000;

/// Throws YAML::ParserException where the text is no YAML, nests deeper, has more nodes or keys, or
/// has an alias (*name): a few of them can stand for billions of nodes, or for themselves.
void check_yaml_bounds(const std::string& text);

}  // namespace tidemark
