// Reading a feature spec from YAML: every key is known, every name resolves, every window fits.
// Errors say file, line and column. Nothing is compiled here.
#include "features/spec.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "features/spec_aggregate.hpp"
#include "features/spec_measure.hpp"
#include "features/spec_window.hpp"
#include "kernels/base/civil_time.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/base/strict_yaml.hpp"

namespace tidemark {
namespace {

// A key that stands twice would silently lose one of its values.
void refuse_repeated_keys(const YAML::Node& node, const std::string& origin) {
  if (node.IsSequence()) {
    for (const auto& element : node) refuse_repeated_keys(element, origin);
  }
  if (!node.IsMap()) return;
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar() || !seen.insert(entry.first.Scalar()).second) {
      YamlMap::fail_at(origin, entry.first, "key stands twice, or is not a word");
    }
    refuse_repeated_keys(entry.second, origin);
  }
}

class SpecReader {
 public:
  explicit SpecReader(std::string_view origin) : origin_(origin) {}

  FeatureSpec read(const YAML::Node& root) {
    refuse_repeated_keys(root, origin_);
    YamlMap top(root, origin_);
    spec_.origin = origin_;
    spec_.name = top.text("spec");
    YamlMap measures = top.map("measures");
    for (const std::string& name : measures.keys()) {
      spec_.measures.push_back(read_measure(name, measures.map(name)));
    }
    measures.done();
    spec_.tables = read_spec_tables(top.map("tables"));
    if (!top.has("features")) top.fail("features", "this setting is required");
    for (const YAML::Node& node : top.list("features")) read_family(node);
    if (spec_.features.empty()) top.fail("features", "a spec needs at least one feature");
    top.done();
    return std::move(spec_);
  }

 private:
  /// One feature, or one for each of `aggregates` and `windows`, whose words stand for
  /// {aggregate} and {window} in its names.
  void read_family(const YAML::Node& node) {
    if (!node.IsMap()) YamlMap::fail_at(origin_, node, "a feature is a mapping");
    YamlMap map(node, origin_, "feature");
    for (const std::string& aggregate : variants(map, "aggregate")) {
      for (const std::string& window : variants(map, "window")) {
        aggregate_ = aggregate;
        window_ = window;
        read_feature(node);
      }
    }
  }

  /// The words under the plural of `key`; one empty word where there is none.
  std::vector<std::string> variants(YamlMap& map, const std::string& key) {
    if (!map.has(key + "s")) return {""};
    if (map.has(key)) map.fail(key, "stands beside " + key + "s");
    std::vector<std::string> words;
    for (const YAML::Node& node : map.list(key + "s")) {
      if (!node.IsScalar() || node.Scalar().empty()) {
        YamlMap::fail_at(origin_, node, "expected a word");
      }
      words.push_back(node.Scalar());
    }
    if (words.empty()) map.fail(key + "s", "lists nothing");
    if (words.size() > 1 && map.text("name").find("{" + key + "}") == std::string::npos) {
      map.fail("name",
               "needs {" + key + "}: it names " + std::to_string(words.size()) + " features");
    }
    return words;
  }

  /// Text with the words of the family in it.
  std::string filled(std::string text) const {
    for (const auto& [mark, word] :
         {std::pair<std::string_view, const std::string&>{"{aggregate}", aggregate_},
          {"{window}", window_}}) {
      for (std::size_t at = 0; !word.empty() && (at = text.find(mark, at)) != std::string::npos;
           at += word.size()) {
        text.replace(at, mark.size(), word);
      }
    }
    return text;
  }

  void read_feature(const YAML::Node& node) {
    Feature feature;
    feature.line = node.Mark().line + 1;
    feature.column = node.Mark().column + 1;
    YamlMap map(node, origin_, "feature");
    map.list("aggregates");
    map.list("windows");
    feature.name = filled(map.text("name"));
    check_name(map, feature.name);
    feature.hidden = map.flag("hidden", false);
    feature.empty = static_cast<float>(
        map.number("empty", static_cast<double>(std::numeric_limits<float>::quiet_NaN())));
    int kinds = 0;
    for (const char* key :
         {"event", "aggregate", "ratio", "change", "difference", "net", "peers", "season"}) {
      kinds += map.has(key) ? 1 : 0;
    }
    kinds += aggregate_.empty() ? 0 : 1;
    if (kinds != 1) {
      map.fail("name",
               "'" + feature.name +
                   "' needs exactly one of event, aggregate, ratio, change, difference, net, "
                   "peers, season");
    }
    if (map.has("event")) {
      read_event_field(map, feature);
    } else if (map.has("aggregate") || !aggregate_.empty()) {
      read_aggregate(map, feature);
    } else if (map.has("peers") || map.has("season")) {
      read_tabled(map, feature);
    } else {
      read_derived(map, feature);
    }
    map.done();
    set_grain(feature);
    set_entity(map, feature);
    spec_.features.push_back(std::move(feature));
  }

  /// A derived feature is as coarse as the coarsest of its parts.
  void set_grain(Feature& feature) {
    feature.grain = grain_of(feature);
    feature.label = label_text(feature);
    for (const auto* list : {&feature.add, &feature.subtract}) {
      for (const int index : *list) {
        const Feature& part = spec_.features[static_cast<std::size_t>(index)];
        if (part.grain <= feature.grain) continue;
        feature.grain = part.grain;
        feature.label = part.label;
      }
    }
  }

  /// A derived feature is read where its parts are.
  void set_entity(const YamlMap& map, Feature& feature) {
    for (const auto* list : {&feature.add, &feature.subtract}) {
      for (const int index : *list) {
        const Entity part = spec_.features[static_cast<std::size_t>(index)].entity;
        if (part == Entity::event) continue;
        if (feature.entity != Entity::event && feature.entity != part) {
          map.fail("name", "'" + feature.name + "' mixes windows of the merchant and of the payer");
        }
        feature.entity = part;
      }
    }
    if (feature.entity == Entity::payer && uses_calendar(feature)) {
      map.fail("name", "'" + feature.name +
                           "' mixes windows of the payer with the merchant's night or weekend");
    }
  }

  /// Night and weekend are the merchant's, so a payer's record cannot tell them.
  bool uses_calendar(const Feature& feature) const {
    if (feature.kind == FeatureKind::event_bit) {
      return (feature.bit & (event_bit_night | event_bit_weekend)) != 0;
    }
    return std::any_of(feature.add.begin(), feature.add.end(), [&](int index) {
      const Feature& part = spec_.features[static_cast<std::size_t>(index)];
      return part.entity == Entity::event && uses_calendar(part);
    });
  }

  void check_name(YamlMap& map, const std::string& name) {
    const bool plain =
        !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        });
    if (!plain) map.fail("name", "'" + name + "' has other characters than a-z, 0-9 and _");
    const int index = static_cast<int>(spec_.features.size());
    if (!names_.emplace(name, index).second) map.fail("name", "'" + name + "' is taken");
  }

  void read_event_field(YamlMap& map, Feature& feature) {
    const std::string field = map.text("event");
    if (field == "amount") {
      feature.kind = FeatureKind::event_amount;
      feature.scale = 1;
    } else if (field == "type") {
      feature.kind = FeatureKind::event_type;
      if (!map.has("types")) map.fail("types", "this setting is required");
      feature.types = read_types(map, types_of(Source::payments) | types_of(Source::invoices));
    } else if (field == "history") {
      feature.kind = FeatureKind::history;
      feature.entity = read_entity(map);
      read_time_unit(map, feature);
    } else if (const auto bit = look_up(event_bits, field)) {
      feature.kind = FeatureKind::event_bit;
      feature.bit = *bit;
    } else {
      map.fail("event", "'" + field +
                            "' is none of amount, type, night, weekend, certified, payer, invoice, "
                            "order, due, history");
    }
  }

  void read_aggregate(YamlMap& map, Feature& feature) {
    const std::string of = filled(map.text("of"));
    for (std::size_t m = 0; m < spec_.measures.size(); ++m) {
      if (spec_.measures[m].name == of) feature.measure = static_cast<int>(m);
    }
    if (feature.measure < 0) map.fail("of", "there is no measure '" + of + "'");
    const Measure& measure = spec_.measures[static_cast<std::size_t>(feature.measure)];
    feature.entity = measure.entity;
    read_aggregate_of(map, {aggregate_, window_}, measure, feature);
  }

  /// What a table says of an earlier column, for the merchant's industry.
  void read_tabled(YamlMap& map, Feature& feature) {
    const std::string key = map.has("peers") ? "peers" : "season";
    const bool peers = key == "peers";
    const std::string& file = peers ? spec_.tables.peers_file : spec_.tables.seasons_file;
    if (file.empty()) {
      map.fail(key, std::string("the spec's tables name no ") + (peers ? "peers" : "seasons"));
    }
    const YAML::Node node = map.node(key);
    feature.of = operand(node);
    feature.entity = Entity::merchant;
    const Feature& of = spec_.features[static_cast<std::size_t>(feature.of)];
    if (of.hidden) map.fail(key, "'" + of.name + "' is hidden: no rows to make a table of");
    if (of.entity == Entity::payer) map.fail(key, "'" + of.name + "' is a payer's");
    if (peers) {
      read_statistic(map, feature);
      feature.scale = of.scale;
    } else {
      feature.kind = FeatureKind::season;
      if (map.has("delay")) read_delay_days(map, feature);
    }
    check_lines(map, key, of, file);
  }

  static void read_statistic(YamlMap& map, Feature& feature) {
    const std::string statistic = map.text("statistic", "mean");
    if (statistic != "mean" && statistic != "stddev") {
      map.fail("statistic", "'" + statistic + "' is none of mean, stddev");
    }
    feature.kind = statistic == "mean" ? FeatureKind::peer_mean : FeatureKind::peer_stddev;
  }

  /// A name that no line has is a mistake; so is money without its currency.
  void check_lines(YamlMap& map, const std::string& key, const Feature& of,
                   const std::string& file) const {
    const auto speaks = [&](const auto& line) { return line.feature == of.name; };
    const SpecTables& tables = spec_.tables;
    const bool any = key == "peers" ? std::ranges::any_of(tables.peers, speaks)
                                    : std::ranges::any_of(tables.seasons, speaks);
    if (!any) map.fail(key, file + " has no line of '" + of.name + "'");
    for (const PeerLine& line : tables.peers) {
      if (key != "peers" || !speaks(line) || (line.currency != 0) == (of.scale != 0)) continue;
      throw UsageError(file + ":" + std::to_string(line.line) + ": currency: '" + of.name +
                       (of.scale != 0 ? "' is of money, which has one" : "' is of no money"));
    }
  }

  int operand(const YAML::Node& node) {
    const auto found = node.IsScalar() ? names_.find(filled(node.Scalar())) : names_.end();
    if (found != names_.end() && found->second < static_cast<int>(spec_.features.size())) {
      return found->second;
    }
    YamlMap::fail_at(
        origin_, node,
        "'" + (node.IsScalar() ? filled(node.Scalar()) : "?") + "' is no feature above this one");
  }

  int scale_of(int feature) { return spec_.features[static_cast<std::size_t>(feature)].scale; }

  void read_derived(YamlMap& map, Feature& feature) {
    if (map.has("net")) return read_net(map, feature);
    std::string key = "ratio";
    feature.kind = FeatureKind::ratio;
    if (map.has("change")) key = "change", feature.kind = FeatureKind::change;
    if (map.has("difference")) key = "difference", feature.kind = FeatureKind::difference;
    const std::vector<YAML::Node> operands = map.list(key);
    if (operands.size() != 2) map.fail(key, "expected the names of two features");
    for (const YAML::Node& node : operands) feature.add.push_back(operand(node));
    const int a = scale_of(feature.add[0]), b = scale_of(feature.add[1]);
    if (feature.kind != FeatureKind::ratio && a != b) {
      map.fail(key, "one of the two is money and the other is not");
    }
    feature.scale = feature.kind == FeatureKind::ratio    ? a - b
                    : feature.kind == FeatureKind::change ? 0
                                                          : a;
    if (feature.scale < -1 || feature.scale > 1) map.fail(key, "money times money has no unit");
  }

  void read_net(YamlMap& map, Feature& feature) {
    feature.kind = FeatureKind::net;
    YamlMap net = map.map("net");
    for (const YAML::Node& node : net.list("add")) feature.add.push_back(plain_operand(node));
    for (const YAML::Node& node : net.list("subtract")) {
      feature.subtract.push_back(plain_operand(node));
    }
    net.done();
    if (feature.add.empty()) map.fail("net", "needs 'add'");
    feature.scale = scale_of(feature.add[0]);
    for (const auto* list : {&feature.add, &feature.subtract}) {
      for (const int index : *list) {
        if (scale_of(index) != feature.scale) map.fail("net", "mixes money with counts");
      }
    }
  }

  int plain_operand(const YAML::Node& node) {
    const int index = operand(node);
    const FeatureKind kind = spec_.features[static_cast<std::size_t>(index)].kind;
    if (kind != FeatureKind::count && kind != FeatureKind::sum && kind != FeatureKind::active &&
        kind != FeatureKind::net) {
      YamlMap::fail_at(origin_, node, "net adds counts and sums only");
    }
    return index;
  }

  std::string origin_;
  FeatureSpec spec_;
  std::map<std::string, int> names_;  // to the feature's index
  std::string aggregate_, window_;    // of the member of a family that is being read, or empty
};

}  // namespace

FeatureSpec parse_feature_spec(std::string_view text, std::string_view origin) {
  return SpecReader(origin).read(parse_yaml(std::string(text), std::string(origin)));
}

}  // namespace tidemark
