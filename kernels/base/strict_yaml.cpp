// See strict_yaml.hpp. yaml-cpp does the parsing; this file only insists.
#include "kernels/base/strict_yaml.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "kernels/base/failure.hpp"
#include "kernels/base/read_file.hpp"
#include "kernels/base/utf8.hpp"
#include "kernels/base/yaml_bounds.hpp"

namespace tidemark {
namespace {

constexpr std::size_t message_bytes_max = 600;
constexpr std::size_t name_bytes_max = 200;

/// `what` may hold whatever stands in the file.
[[noreturn]] void refuse(const std::string& place, std::string_view what) {
  throw UsageError(place + ": " + one_line(what, message_bytes_max));
}

std::string place(const std::string& origin, const YAML::Mark& mark) {
  if (mark.is_null()) return origin;  // of a mapping that is not in the file
  return origin + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
}

/// What the file holds has a mark, so a node without one came from the command line.
std::string place_of(const std::string& origin, const YAML::Node& node) {
  return node.Mark().is_null() ? "--set" : place(origin, node.Mark());
}

}  // namespace

YAML::Node parse_yaml(const std::string& text, const std::string& origin) {
  if (const auto bad = invalid_utf8_offset(text)) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(*bad);
    refuse(origin + ":" + std::to_string(1 + std::count(text.begin(), end, '\n')),
           "invalid UTF-8 at byte " + std::to_string(*bad));
  }
  try {
    check_yaml_bounds(text);
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty() || !documents.front().IsMap()) {
      refuse(origin + ":1:1", "expected a mapping of settings");
    }
    if (documents.size() > 1) YamlMap::fail_at(origin, documents[1], "a second document");
    return documents.front();
  } catch (const YAML::ParserException& error) {
    refuse(place(origin, error.mark), error.msg);
  }
}

YamlMap YamlMap::load(const std::filesystem::path& file) {
  return YamlMap(parse_yaml(read_file(file, yaml_bytes_max), file.string()), file.string());
}

YamlMap::YamlMap(YAML::Node node, std::string origin, std::string path)
    : node_(std::move(node)), origin_(std::move(origin)), path_(std::move(path)) {
  if (!node_.IsMap()) return;
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    const std::string& key = entry.first.Scalar();
    if (!seen.insert(key).second) fail_at(origin_, entry.first, name_of(key) + ": stands twice");
  }
}

std::string YamlMap::name_of(const std::string& key) const {
  return one_line(path_.empty() ? key : path_ + "." + key, name_bytes_max);
}

bool YamlMap::has(const std::string& key) const {
  const YAML::Node& map = node_;
  return map.IsMap() && map[key].IsDefined() && !map[key].IsNull();
}

YAML::Node YamlMap::node(const std::string& key) {
  asked_.insert(key);
  const YAML::Node& map = node_;
  return map.IsMap() ? map[key] : YAML::Node(YAML::NodeType::Undefined);
}

YAML::Node YamlMap::scalar(const std::string& key) {
  YAML::Node found = node(key);
  if (!found.IsDefined() || found.IsNull()) fail(key, "this setting is required");
  if (!found.IsScalar()) fail(key, "expected a single value");
  return found;
}

std::string YamlMap::text(const std::string& key) {
  return scalar(key).Scalar();
}

std::string YamlMap::text(const std::string& key, const std::string& fallback) {
  asked_.insert(key);
  return has(key) ? text(key) : fallback;
}

std::int64_t YamlMap::integer(const std::string& key, std::int64_t least, std::int64_t most) {
  const YAML::Node found = scalar(key);
  std::int64_t value = 0;
  if (!YAML::convert<std::int64_t>::decode(found, value)) {
    fail(key, "expected a whole number, got '" + found.Scalar() + "'");
  }
  if (value < least || value > most) {
    fail(key,
         found.Scalar() + " is outside " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

std::int64_t YamlMap::integer(const std::string& key, std::int64_t fallback, std::int64_t least,
                              std::int64_t most) {
  asked_.insert(key);
  return has(key) ? integer(key, least, most) : fallback;
}

double YamlMap::number(const std::string& key) {
  const YAML::Node found = scalar(key);
  double value = 0;
  if (!YAML::convert<double>::decode(found, value) || !std::isfinite(value)) {
    fail(key, "expected a number, got '" + found.Scalar() + "'");
  }
  return value;
}

double YamlMap::number(const std::string& key, double fallback) {
  asked_.insert(key);
  return has(key) ? number(key) : fallback;
}

bool YamlMap::flag(const std::string& key, bool fallback) {
  asked_.insert(key);
  if (!has(key)) return fallback;
  bool value = false;
  if (!YAML::convert<bool>::decode(scalar(key), value)) fail(key, "expected true or false");
  return value;
}

YamlMap YamlMap::map(const std::string& key) {
  YAML::Node found = node(key);
  const std::string inner = name_of(key);
  if (!found.IsDefined() || found.IsNull()) {
    return YamlMap(YAML::Node(YAML::NodeType::Map), origin_, inner);
  }
  if (!found.IsMap()) fail(key, "expected a mapping");
  return YamlMap(found, origin_, inner);
}

std::vector<YAML::Node> YamlMap::list(const std::string& key) {
  YAML::Node found = node(key);
  if (!found.IsDefined() || found.IsNull()) return {};
  if (!found.IsSequence()) fail(key, "expected a list");
  return {found.begin(), found.end()};
}

std::vector<std::string> YamlMap::keys() const {
  std::vector<std::string> names;
  if (node_.IsMap()) {
    for (const auto& entry : node_) names.push_back(entry.first.Scalar());
  }
  return names;
}

void YamlMap::done() const {
  if (!node_.IsMap()) return;
  for (const auto& entry : node_) {
    if (asked_.contains(entry.first.Scalar())) continue;
    const std::string& key = entry.first.Scalar();
    refuse(place_of(origin_, entry.first), "unknown setting '" + name_of(key) + "'");
  }
}

void YamlMap::fail(const std::string& key, const std::string& what) const {
  const YAML::Node& map = node_;
  const YAML::Node found = map.IsMap() ? map[key] : YAML::Node(YAML::NodeType::Undefined);
  refuse(found.IsDefined() ? place_of(origin_, found) : place(origin_, node_.Mark()),
         name_of(key) + ": " + what);
}

void YamlMap::fail_at(const std::string& origin, const YAML::Node& where, const std::string& what) {
  refuse(place_of(origin, where), what);
}

}  // namespace tidemark
