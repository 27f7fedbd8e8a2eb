// The oracle's last events: the measured ones from the end of the list, and what feedback behind
// each says of it.
#include <algorithm>

#include "features/oracle_history.hpp"

namespace tidemark {
namespace {

/// What the last word on the event at `index` is, of those accepted after it.
bool is_fraud(const std::vector<OracleEvent>& events, std::size_t index) {
  bool fraud = false;
  for (std::size_t later = index + 1; later < events.size(); ++later) {
    if (events[later].source != Source::feedback) continue;
    if (events[later].subject_hash != events[index].subject_hash) continue;
    if (events[later].type == EventType::fraud) fraud = true;
    if (events[later].type == EventType::legitimate) fraud = false;
  }
  return fraud;
}

Fraction fraud_share(const Feature& feature, const OracleReading& at,
                     const std::vector<std::size_t>& newest) {
  const std::vector<OracleEvent>& events = at.history->events;
  const auto held =
      static_cast<std::ptrdiff_t>(std::min(newest.size(), static_cast<std::size_t>(feature.among)));
  int matured = 0, frauds = 0;
  for (auto index = newest.begin(); index != newest.begin() + held; ++index) {
    if (at.clock_ms - events[*index].time_ms < feature.matures_ms) continue;
    if (++matured > feature.last) return {static_cast<double>(frauds), matured - 1.0};
    frauds += is_fraud(events, *index) ? 1 : 0;
  }
  return {static_cast<double>(frauds), static_cast<double>(matured)};
}

Fraction amounts_value(FeatureKind kind, const std::vector<std::int64_t>& amounts) {
  std::int64_t sum = 0;
  Wide squares = 0;
  for (const std::int64_t amount : amounts) {
    sum += amount;
    squares += static_cast<Wide>(amount) * static_cast<Wide>(amount);
  }
  const auto count = static_cast<std::int64_t>(amounts.size());
  const double total = static_cast<double>(sum);
  if (kind == FeatureKind::sum) return {total, 1.0};
  if (count == 0) return {};
  const auto [least, greatest] = std::minmax_element(amounts.begin(), amounts.end());
  switch (kind) {
    case FeatureKind::mean:
      return {total, static_cast<double>(count)};
    case FeatureKind::min:
      return {static_cast<double>(*least), 1.0};
    case FeatureKind::max:
      return {static_cast<double>(*greatest), 1.0};
    case FeatureKind::stddev:
      return {spread_of(count, sum, squares), static_cast<double>(count)};
    default:
      return {spread_of(count, sum, squares), total};
  }
}

}  // namespace

Fraction oracle_tail_value(const FeatureSpec& spec, const Feature& feature, const OracleReading& at,
                           int exponent) {
  const std::vector<OracleEvent>& events = at.history->events;
  std::vector<std::size_t> newest;
  for (std::size_t index = events.size(); index-- > 0;) {
    if (oracle_measures(spec, feature, events[index], exponent)) newest.push_back(index);
  }
  if (feature.kind == FeatureKind::fraud_share) return fraud_share(feature, at, newest);
  std::vector<std::int64_t> amounts;
  for (const std::size_t index : newest) {
    if (amounts.size() == static_cast<std::size_t>(feature.last)) break;
    amounts.push_back(std::min(oracle_value(spec, feature, events[index]), bucket_sum_max));
  }
  return amounts_value(feature.kind, amounts);
}

}  // namespace tidemark
