// YAML mappings in which every key must be known and have its type: a misspelt setting is an error
// that names file and line, never a silent default. Used by the configuration, the feature spec and
// the bundle's manifest.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace tidemark {

/// A larger file is refused before it is parsed.
inline constexpr std::size_t yaml_bytes_max = std::size_t{4} << 20;

/// The one document of a YAML file, a mapping. Throws UsageError `origin:line...` where the text is
/// no UTF-8 (releases publish it as JSON), no such YAML or beyond the bounds of yaml_bounds.hpp.
YAML::Node parse_yaml(const std::string& text, const std::string& origin);

/// A mapping being read. Ask for each known key, then call `done()`.
class YamlMap {
 public:
  /// Loads a file whose root is a mapping. Throws UsageError.
  static YamlMap load(const std::filesystem::path& file);
  /// `origin` is the file name, `path` the dotted path of this mapping inside it. Throws UsageError
  /// where a key stands twice: the parser would keep one of the two without a word.
  YamlMap(YAML::Node node, std::string origin, std::string path = "");

  bool has(const std::string& key) const;
  std::string text(const std::string& key);
  std::string text(const std::string& key, const std::string& fallback);
  std::int64_t integer(const std::string& key, std::int64_t least, std::int64_t most);
  std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t least,
                       std::int64_t most);
  double number(const std::string& key);
  double number(const std::string& key, double fallback);
  bool flag(const std::string& key, bool fallback);
  /// A nested mapping; an absent key gives an empty one.
  YamlMap map(const std::string& key);
  /// The elements of a sequence; an absent key gives none.
  std::vector<YAML::Node> list(const std::string& key);
  std::vector<std::string> keys() const;
  YAML::Node node(const std::string& key);  // marks the key as known

  /// Throws UsageError for the first key that nobody asked for.
  void done() const;
  /// Throws UsageError `origin:line:column: path.key: what`.
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;
  [[noreturn]] static void fail_at(const std::string& origin, const YAML::Node& where,
                                   const std::string& what);
  const std::string& origin() const { return origin_; }

 private:
  YAML::Node scalar(const std::string& key);
  std::string name_of(const std::string& key) const;  // with its dotted path
  YAML::Node node_;
  std::string origin_, path_;
  std::set<std::string> asked_;
};

}  // namespace tidemark
