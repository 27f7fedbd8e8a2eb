// The oracle's tables: looks through all lines, in the order of the file.
#include <cmath>

#include "features/oracle_history.hpp"
#include "kernels/base/currency.hpp"

namespace tidemark {

Fraction oracle_table_value(const FeatureSpec& spec, const Feature& feature,
                            const OracleReading& at) {
  const std::string& of = spec.features[static_cast<std::size_t>(feature.of)].name;
  const OracleHistory& merchant = *at.history;
  const bool is_money = feature.scale != 0;
  const auto is_known = [&](std::int32_t day) {
    return absl::CivilDay(1970, 1, 1) + day <= at.clock_day;
  };
  double value = std::nan("");  // the newest line stands last
  if (feature.kind == FeatureKind::season) {
    const int month = (at.clock_day - feature.delay).month();
    for (const SeasonLine& line : spec.tables.seasons) {
      if (line.feature == of && line.industry == merchant.industry && line.month == month &&
          is_known(line.day)) {
        value = line.factor;
      }
    }
  } else {
    for (const PeerLine& line : spec.tables.peers) {
      if (line.feature == of && line.industry == merchant.industry &&
          line.region == merchant.region &&
          line.currency == (is_money ? merchant.currency() : CurrencyCode{0}) &&
          is_known(line.day)) {
        value = feature.kind == FeatureKind::peer_mean ? line.mean : line.stddev;
      }
    }
  }
  if (std::isnan(value)) return {};
  const double units = std::pow(10.0, std::max(0, currency_exponent(merchant.currency())));
  if (feature.scale > 0) return {value * units, 1.0};
  if (feature.scale < 0) return {value, units};
  return {value, 1.0};
}

}  // namespace tidemark
