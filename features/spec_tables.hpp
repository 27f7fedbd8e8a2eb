// The versioned tables that a spec may name beside itself: what a feature is among the peers of the
// same industry and region, and the factors of its season. Read with the spec; plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/currency.hpp"
#include "kernels/base/strict_yaml.hpp"

namespace tidemark {

inline constexpr std::string_view peer_columns[] = {"as_of",    "feature", "industry", "region",
                                                    "currency", "mean",    "stddev",   "merchants"};
inline constexpr std::string_view season_columns[] = {"as_of", "feature", "industry", "month",
                                                      "factor"};
inline constexpr double season_factor_min = 0.001, season_factor_max = 1000;

/// A feature among peers, from its day on. NaN: none from that day on.
struct PeerLine {
  std::int32_t day = 0;
  std::string feature, industry, region;
  std::uint32_t currency = 0;  // of amounts, 0 for what is no money
  double mean = 0, stddev = 0;
  std::size_t line = 0;  // in the file
};

/// A feature's factor of one month of the year, 1 to 12, from its day on. NaN as above.
struct SeasonLine {
  std::int32_t day = 0;
  std::string feature, industry;
  int month = 1;
  double factor = 1;
};

struct SpecTables {
  std::string peers_file, seasons_file;  // empty where the spec names none
  std::vector<PeerLine> peers;           // in the files' order
  std::vector<SeasonLine> seasons;
};

/// Reads `tables: {peers: F, seasons: F}`, files beside the spec `map` is from. Throws UsageError
/// naming the spec's line, or the table's file, line and field.
SpecTables read_spec_tables(YamlMap map);

}  // namespace tidemark
