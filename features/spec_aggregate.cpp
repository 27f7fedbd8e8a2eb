// See spec_aggregate.hpp.
#include "features/spec_aggregate.hpp"

#include "features/spec_measure.hpp"
#include "features/spec_window.hpp"
#include "kernels/base/civil_time.hpp"

namespace tidemark {
namespace {

/// What an aggregate looks at: events alone, their values, or either.
enum class Needs : std::uint8_t { events, values, either };

struct Aggregate {
  std::string_view name;
  FeatureKind kind;
  Needs needs;
  bool is_money;  // where the values are amounts
};

constexpr Aggregate aggregates[] = {
    {"count", FeatureKind::count, Needs::events, false},
    {"sum", FeatureKind::sum, Needs::values, true},
    {"mean", FeatureKind::mean, Needs::values, true},
    {"min", FeatureKind::min, Needs::values, true},
    {"max", FeatureKind::max, Needs::values, true},
    {"stddev", FeatureKind::stddev, Needs::values, true},
    {"cv", FeatureKind::cv, Needs::values, false},
    {"quantile", FeatureKind::quantile, Needs::values, true},
    {"distinct", FeatureKind::distinct, Needs::events, false},
    {"largest_share", FeatureKind::largest_share, Needs::values, false},
    {"herfindahl", FeatureKind::herfindahl, Needs::values, false},
    {"active", FeatureKind::active, Needs::either, false},
    {"longest_gap", FeatureKind::longest_gap, Needs::events, false},
    {"streak", FeatureKind::streak, Needs::either, false},
    {"period_mean", FeatureKind::period_mean, Needs::values, true},
    {"decayed_count", FeatureKind::decayed_count, Needs::events, false},
    {"decayed_sum", FeatureKind::decayed_sum, Needs::values, true},
    {"since", FeatureKind::since, Needs::events, false},
    {"fraud_share", FeatureKind::fraud_share, Needs::events, false},
};

constexpr std::array<std::pair<std::string_view, std::int64_t>, 2> time_units = {
    {{"h", ms_per_hour}, {"d", ms_per_day}}};

const Aggregate& aggregate_named(const YamlMap& map, const std::string& key,
                                 const std::string& name) {
  std::string all;
  for (const Aggregate& aggregate : aggregates) {
    if (aggregate.name == name) return aggregate;
    all += (all.empty() ? "" : ", ") + std::string(aggregate.name);
  }
  map.fail(key, "'" + name + "' is none of " + all);
}

int power_of_two(YamlMap& map, const std::string& key, int fallback, int least, int most) {
  const auto value = static_cast<int>(map.integer(key, fallback, least, most));
  if ((value & (value - 1)) != 0) map.fail(key, "expected a power of two");
  return value;
}

void read_streak(YamlMap& map, Feature& feature) {
  if (feature.of_amount) {
    if (map.has("from")) feature.mark = read_amount_e4(map, "from");
  } else {
    feature.mark = map.integer("from", 1, 1, UINT32_MAX);
  }
}

/// Of what each payer paid.
bool is_share(FeatureKind kind) {
  return kind == FeatureKind::largest_share || kind == FeatureKind::herfindahl;
}

/// Aggregates that `last` may stand for a window of.
bool goes_with_last(FeatureKind kind) {
  return kind == FeatureKind::sum || kind == FeatureKind::mean || kind == FeatureKind::min ||
         kind == FeatureKind::max || kind == FeatureKind::stddev || kind == FeatureKind::cv;
}

void read_fraud_share(YamlMap& map, const Measure& measure, Feature& feature) {
  if (measure.entity != Entity::merchant || measure.source != Source::payments) {
    map.fail("of", "feedback is on a merchant's payments, and '" + measure.name + "' is not");
  }
  feature.among = static_cast<int>(map.integer("among", 128, 1, tail_payments_max));
  feature.last = static_cast<int>(map.integer("last", 1, feature.among));
  read_maturity(map, feature);
}

void read_options(YamlMap& map, Feature& feature) {
  switch (feature.kind) {
    case FeatureKind::distinct:
      feature.sketch_bits = power_of_two(map, "bits", 512, 64, 65'536);
      feature.exact_few = map.flag("exact_few", true);
      break;
    case FeatureKind::quantile:
      feature.below = map.number("below");
      if (!(feature.below > 0 && feature.below < 1)) map.fail("below", "expected 0 < below < 1");
      feature.cells =
          1 + static_cast<int>(histogram_octaves) * power_of_two(map, "parts", 4, 1, 16);
      break;
    case FeatureKind::largest_share:
    case FeatureKind::herfindahl:
      feature.cells = power_of_two(map, "cells", 64, 16, 4'096);
      break;
    case FeatureKind::streak:
      read_streak(map, feature);
      break;
    default:
      break;
  }
}

}  // namespace

void read_time_unit(YamlMap& map, Feature& feature) {
  const auto unit = look_up(time_units, map.text("unit"));
  if (!unit) map.fail("unit", "expected h or d");
  feature.unit_ms = *unit;
}

void read_aggregate_of(YamlMap& map, const FamilyWords& family, const Measure& measure,
                       Feature& feature) {
  const bool own = family.aggregate.empty();
  const Aggregate& aggregate = aggregate_named(map, own ? "aggregate" : "aggregates",
                                               own ? map.text("aggregate") : family.aggregate);
  feature.kind = aggregate.kind;
  const bool has_amount = measure.has_value && measure.value == EventValue::amount;
  bool uses_value = aggregate.needs == Needs::values;
  if (aggregate.needs == Needs::either) {
    const std::string value = map.text("value", has_amount ? "amount" : "count");
    if (value != "amount" && value != "count") map.fail("value", "expected amount or count");
    feature.of_amount = value == "amount";
    if (feature.of_amount && measure.value != EventValue::amount) {
      map.fail("value", "'" + measure.name + "' has days and no amounts: expected count");
    }
    uses_value = feature.of_amount;
  }
  if (uses_value && !measure.has_value) {
    map.fail("of", "measure '" + measure.name + "' has no value: give it 'value: amount'");
  }
  if (is_share(feature.kind) && !has_amount) {
    map.fail("of", "'" + measure.name + "' has days, and the shares are those of amounts");
  }
  feature.scale = aggregate.is_money && has_amount ? 1 : 0;
  if (feature.kind == FeatureKind::since) return read_time_unit(map, feature);
  if (is_decayed(feature)) return read_half_life(map, feature);
  if (feature.kind == FeatureKind::fraud_share) return read_fraud_share(map, measure, feature);
  if (map.has("last")) {
    if (!goes_with_last(feature.kind)) {
      map.fail("last", "goes with sum, mean, min, max, stddev, cv and fraud_share");
    }
    if (!family.window.empty()) map.fail("last", "stands beside windows");
    feature.last = static_cast<int>(map.integer("last", 1, tail_amounts_max));
    return;
  }
  read_feature_window(map, family.window, feature);
  read_options(map, feature);
}

}  // namespace tidemark
