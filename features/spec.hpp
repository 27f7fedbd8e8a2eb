// A feature spec as its author wrote it: measures (which events, which value) and features made of
// them. Plain data, checked but not compiled; the plan is made from it and the oracle reads it.
// It knows nothing of records and rings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "features/spec_tables.hpp"
#include "kernels/data/event.hpp"
#include "kernels/window/window_plan.hpp"

namespace tidemark {

/// Whose windows a number is read from: the merchant's, the payer's (card or buyer, at whatever
/// merchant), or nobody's, as it is the event's own.
enum class Entity : std::uint8_t { event, merchant, payer };

/// Events that a feature looks at.
struct Measure {
  std::string name;
  Entity entity = Entity::merchant;
  Source source = Source::payments;
  std::uint32_t types = 0;     // bit per EventType
  std::uint8_t need_mask = 0;  // EventBit: which facts matter ...
  std::uint8_t need_bits = 0;  // ... and what they must be
  AmountTest amount;           // and what their amount must be
  bool has_value = false;      // of payments and invoices
  EventValue value = EventValue::amount;
  int open = 0;  // days_to_pay: invoices of a merchant or payer that are held until they are paid
};

/// Their numbers are part of fingerprints: new ones go to the end.
enum class FeatureKind : std::uint8_t {
  event_amount,
  event_type,
  event_bit,  // fields of the event
  history,    // since the first event
  count,
  sum,
  mean,
  min,
  max,
  stddev,
  cv,
  distinct,     // over a window
  active,       // buckets above zero
  period_mean,  // sum / buckets of the window
  since,        // since the last event
  ratio,
  change,
  difference,
  net,       // of other features
  quantile,  // of the amounts in a window
  largest_share,
  herfindahl,   // of the payers' parts of a window's sum
  longest_gap,  // buckets without events between those with
  streak,       // newest buckets that reach a mark, without a break
  decayed_count,
  decayed_sum,  // halved every `half_life`
  peer_mean,
  peer_stddev,
  season,       // of another feature, from the tables beside the spec
  fraud_share,  // of the last payments that are old enough for feedback
};

/// How coarse a number is: exact, by buckets of a tier, by a decay, by a sketch.
inline constexpr int grain_exact = 0, grain_decayed = 90, grain_sketch = 100;

/// One feature, in one bucket size. Operands are indices of earlier features.
struct Feature {
  std::string name;
  FeatureKind kind = FeatureKind::event_amount;
  Entity entity = Entity::event;
  bool hidden = false;  // computed for others, no column
  float empty = 0;      // value where there is none
  int measure = -1;
  Tier tier = Tier::day;
  int length = 0;                  // buckets in the window
  int delay = 0;                   // buckets it is shifted back
  int last = 0;                    // of so many last events, instead of a window
  int among = 0;                   // fraud_share: newest payments that are held
  std::int64_t matures_ms = 0;     // fraud_share: age from which a payment counts
  int sketch_bits = 512;           // distinct
  bool exact_few = false;          // distinct: counted while they are few, then estimated
  int cells = 0;                   // of a histogram or of payer sums
  double below = 0;                // quantile: the share of events below it
  std::int64_t mark = 1;           // streak: events, or ten-thousandths of the major unit
  std::uint32_t types = 0;         // event_type
  std::uint8_t bit = 0;            // event_bit
  std::int64_t unit_ms = 0;        // since, history
  std::vector<int> add, subtract;  // net; of the others: add[0], add[1]
  int of = -1;                     // peer_*, season: the feature that the table speaks of
  int scale = 0;                   // 1 money, 0 count or ratio, -1 per money
  bool of_amount = false;          // active, streak: by takings, not by events
  int grain = 0;                   // of derived ones the coarsest of the operands
  std::string label;               // the same in words
  int line = 0, column = 0;
};
inline bool is_decayed(const Feature& feature) {
  return feature.kind == FeatureKind::decayed_count || feature.kind == FeatureKind::decayed_sum;
}

/// Read from the last events of a measure, in the order in which they were accepted.
inline bool is_of_last(const Feature& feature) {
  return feature.last > 0;
}

/// Read from a table; a season's `delay` is in days.
inline bool is_tabled(const Feature& feature) {
  return feature.of >= 0;
}

struct FeatureSpec {
  std::string origin;  // the file, for messages
  std::string name;
  std::vector<Measure> measures;
  std::vector<Feature> features;
  SpecTables tables;
};

/// Parses and checks. Throws UsageError "origin:line:column: what".
FeatureSpec parse_feature_spec(std::string_view text, std::string_view origin);

/// "7d delayed by 7d" and the like.
std::string window_text(const Feature& feature);
/// The formula as printed: "sum(inflow.amount)", "refund_sum_30d / inflow_sum_30d".
std::string formula_text(const FeatureSpec& spec, const Feature& feature);
/// Of what is no derived feature: 1 + tier where a window's buckets are the only coarseness.
int grain_of(const Feature& feature);
/// The same in words: "exact", "bucket(1 day)", "sketch(3.4% at 256)", "decayed(7d)".
std::string label_text(const Feature& feature);
/// Relative standard error of linear counting with that many bits at as many distinct values as
/// half the bits (Whang et al., 1990: sqrt(m (exp(t) - t - 1)) / n with t = n / m).
double sketch_error(int bits);

}  // namespace tidemark
