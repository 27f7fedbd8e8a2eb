// See plan_tables.hpp.
#include "features/plan_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <set>
#include <vector>

#include "kernels/base/failure.hpp"

namespace tidemark {

TableGroups::TableGroups(const FeatureSpec& spec) {
  std::set<std::string> of_peers, of_seasons;  // features that are asked for
  for (const Feature& feature : spec.features) {
    if (!is_tabled(feature)) continue;
    const std::string& of = spec.features[static_cast<std::size_t>(feature.of)].name;
    (feature.kind == FeatureKind::season ? of_seasons : of_peers).insert(of);
  }
  for (const PeerLine& line : spec.tables.peers) {
    if (of_peers.contains(line.feature)) names_.emplace(Name(line.industry, line.region), 0);
  }
  for (const SeasonLine& line : spec.tables.seasons) {
    if (of_seasons.contains(line.feature)) names_.emplace(Name(line.industry, ""), 0);
  }
  if (names_.size() > std::numeric_limits<std::uint16_t>::max()) {
    throw UsageError(fmt::format("{}: the tables speak of {} industries in regions, at most {} fit",
                                 spec.origin, names_.size(),
                                 std::numeric_limits<std::uint16_t>::max()));
  }
  std::uint16_t number = 0;
  for (auto& [name, group] : names_) group = ++number;
}

std::uint16_t TableGroups::of(std::string_view industry, std::string_view region) const {
  auto found = names_.find(Name(industry, region));
  if (found == names_.end()) found = names_.find(Name(industry, ""));
  return found == names_.end() ? 0 : found->second;
}

std::uint32_t append_table(const FeatureSpec& spec, const Feature& feature,
                           const TableGroups& groups, WindowPlan& plan) {
  const std::string& of = spec.features[static_cast<std::size_t>(feature.of)].name;
  std::map<TableGroups::Name, std::vector<TableEntry>> entries;
  for (const PeerLine& line : spec.tables.peers) {
    if (feature.kind == FeatureKind::season || line.feature != of) continue;
    const double value = feature.kind == FeatureKind::peer_mean ? line.mean : line.stddev;
    entries[{line.industry, line.region}].push_back({line.currency, line.day, value});
  }
  for (const SeasonLine& line : spec.tables.seasons) {
    if (feature.kind != FeatureKind::season || line.feature != of) continue;
    entries[{line.industry, ""}].push_back(
        {static_cast<std::uint32_t>(line.month - 1), line.day, line.factor});
  }
  const auto first = static_cast<std::uint32_t>(plan.series.size());
  for (const auto& [name, group] : groups.names()) {
    const bool of_season = feature.kind == FeatureKind::season;
    const auto found = entries.find(of_season ? TableGroups::Name(name.first, "") : name);
    const auto begin = static_cast<std::uint32_t>(plan.entries.size());
    if (found != entries.end()) {
      plan.entries.insert(plan.entries.end(), found->second.begin(), found->second.end());
    }
    // The file is in the order of days.
    std::stable_sort(plan.entries.begin() + begin, plan.entries.end(),
                     [](const TableEntry& a, const TableEntry& b) { return a.key < b.key; });
    plan.series.push_back({begin, static_cast<std::uint32_t>(plan.entries.size())});
  }
  return first;
}

std::string tables_text(const TableGroups& groups, const WindowPlan& plan) {
  std::string text;
  if (plan.series.empty()) return text;
  // Lengths stand before names, so that no two lists of names read the same.
  for (const auto& [name, group] : groups.names()) {
    text += fmt::format("group {}:{} {}:{}\n", name.first.size(), name.first, name.second.size(),
                        name.second);
  }
  for (const TableSeries& series : plan.series) {
    text += "series";
    for (std::uint32_t e = series.begin; e < series.end; ++e) {
      const TableEntry& entry = plan.entries[e];
      text += fmt::format(" {} {} {:016x}", entry.key, entry.day,
                          std::bit_cast<std::uint64_t>(entry.value));
    }
    text += "\n";
  }
  return text;
}

}  // namespace tidemark
