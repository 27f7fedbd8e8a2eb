// The tables of a spec, compiled: merchants of one industry and region are a group with a number,
// and each table that a feature asks for is a series of entries by group. Used at load; looking up
// a group may be done by any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "features/spec.hpp"
#include "kernels/window/window_plan.hpp"

namespace tidemark {

/// The groups that the tables speak of, numbered from 1 in the order of their names.
class TableGroups {
 public:
  TableGroups() = default;
  /// Throws UsageError where there are more than 65,535.
  explicit TableGroups(const FeatureSpec& spec);

  /// That of a merchant's profile; 0 where no table speaks of it.
  std::uint16_t of(std::string_view industry, std::string_view region) const;

  using Name = std::pair<std::string, std::string>;  // industry, region; of seasons alone: ""
  const std::map<Name, std::uint16_t>& names() const { return names_; }

 private:
  std::map<Name, std::uint16_t> names_;
};

/// Appends the table of a feature to `plan` and returns its first series.
std::uint32_t append_table(const FeatureSpec& spec, const Feature& feature,
                           const TableGroups& groups, WindowPlan& plan);

/// All that the tables of a plan change of any bit, in words; empty where there are none.
std::string tables_text(const TableGroups& groups, const WindowPlan& plan);

}  // namespace tidemark
