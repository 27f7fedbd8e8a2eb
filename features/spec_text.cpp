// A spec in words: the window, the formula and the label of each feature, as `tidemark features`
// prints them. Text only; nothing here decides a bit of any feature.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "features/spec.hpp"
#include "kernels/base/civil_time.hpp"

namespace tidemark {
namespace {

constexpr std::array<std::string_view, tier_count> tier_units = {"min", "h", "d", "w", "mo"};
constexpr std::array<std::string_view, tier_count> tier_names = {"1 minute", "1 hour", "1 day",
                                                                 "1 week", "1 month"};

std::string types_text(std::uint32_t types) {
  std::string text;
  for (int t = 1; t < event_type_count; ++t) {
    if ((types >> t & 1U) == 0) continue;
    if (!text.empty()) text += "|";
    text += name_of(static_cast<EventType>(t));
  }
  return text;
}

std::string bit_text(std::uint8_t bit) {
  switch (bit) {
    case event_bit_night:
      return "night";
    case event_bit_weekend:
      return "weekend";
    case event_bit_certified:
      return "certified";
    case event_bit_invoice:
      return "invoice";
    case event_bit_order:
      return "order";
    case event_bit_due:
      return "due";
    default:
      return "payer";
  }
}

/// A measure by its name, with its value where that is no amount.
std::string measure_text(const FeatureSpec& spec, const Feature& feature) {
  const Measure& measure = spec.measures[static_cast<std::size_t>(feature.measure)];
  switch (measure.value) {
    case EventValue::days_to_pay:
      return fmt::format("{}.days_to_pay, {} open", measure.name, measure.open);
    case EventValue::days_past_due:
      return measure.name + ".days_past_due";
    default:
      return measure.name;
  }
}

std::string_view unit_text(const Feature& feature) {
  return feature.unit_ms == ms_per_hour ? "hours" : "days";
}

std::string_view aggregate_text(FeatureKind kind) {
  switch (kind) {
    case FeatureKind::count:
      return "count";
    case FeatureKind::sum:
      return "sum";
    case FeatureKind::mean:
      return "mean";
    case FeatureKind::min:
      return "min";
    case FeatureKind::max:
      return "max";
    case FeatureKind::stddev:
      return "stddev";
    case FeatureKind::cv:
      return "cv";
    case FeatureKind::distinct:
      return "distinct";
    case FeatureKind::active:
      return "active";
    case FeatureKind::period_mean:
      return "period_mean";
    case FeatureKind::quantile:
      return "quantile";
    case FeatureKind::largest_share:
      return "largest_share";
    case FeatureKind::herfindahl:
      return "herfindahl";
    case FeatureKind::longest_gap:
      return "longest_gap";
    case FeatureKind::streak:
      return "streak";
    case FeatureKind::fraud_share:
      return "fraud_share";
    default:
      return "";
  }
}

std::string span_text(const Feature& feature) {
  return fmt::format("{}{}", feature.length, tier_units[static_cast<std::size_t>(feature.tier)]);
}

bool has_window(const Feature& feature) {
  return !aggregate_text(feature.kind).empty();
}

}  // namespace

std::string window_text(const Feature& feature) {
  if (feature.kind == FeatureKind::fraud_share) {
    const std::int64_t minutes = feature.matures_ms / ms_per_minute;
    const std::string age = minutes % (24 * 60) == 0 ? fmt::format("{}d", minutes / (24 * 60))
                            : minutes % 60 == 0      ? fmt::format("{}h", minutes / 60)
                                                     : fmt::format("{}min", minutes);
    return fmt::format("last {} older than {}, among {}", feature.last, age, feature.among);
  }
  if (is_of_last(feature)) return fmt::format("last {}", feature.last);
  if (!has_window(feature)) return "";
  const std::string_view unit = tier_units[static_cast<std::size_t>(feature.tier)];
  std::string text = span_text(feature);
  if (feature.delay > 0) text += fmt::format(" delayed by {}{}", feature.delay, unit);
  return text;
}

std::string formula_text(const FeatureSpec& spec, const Feature& feature) {
  const auto operand = [&](std::size_t i) -> const std::string& {
    return spec.features[static_cast<std::size_t>(feature.add[i])].name;
  };
  switch (feature.kind) {
    case FeatureKind::event_amount:
      return "event.amount";
    case FeatureKind::event_type:
      return fmt::format("event.type is {}", types_text(feature.types));
    case FeatureKind::event_bit:
      return fmt::format("event is {}", bit_text(feature.bit));
    case FeatureKind::history:
      return fmt::format("{} since the first event", unit_text(feature));
    case FeatureKind::since:
      return fmt::format("{} since the last of {}", unit_text(feature),
                         measure_text(spec, feature));
    case FeatureKind::decayed_count:
    case FeatureKind::decayed_sum:
      return fmt::format("{}({}) halved every {}",
                         feature.kind == FeatureKind::decayed_sum ? "sum" : "count",
                         measure_text(spec, feature), span_text(feature));
    case FeatureKind::quantile:
      return fmt::format("quantile {}({})", feature.below, measure_text(spec, feature));
    case FeatureKind::peer_mean:
    case FeatureKind::peer_stddev:
      return fmt::format("{} of {} among peers",
                         feature.kind == FeatureKind::peer_mean ? "mean" : "stddev",
                         spec.features[static_cast<std::size_t>(feature.of)].name);
    case FeatureKind::season:
      return fmt::format(
          "season of {}{}", spec.features[static_cast<std::size_t>(feature.of)].name,
          feature.delay > 0 ? fmt::format(" {} days before", feature.delay) : std::string());
    case FeatureKind::ratio:
      return fmt::format("{} / {}", operand(0), operand(1));
    case FeatureKind::change:
      return fmt::format("{} / {} - 1", operand(0), operand(1));
    case FeatureKind::difference:
      return fmt::format("{} - {}", operand(0), operand(1));
    case FeatureKind::net: {
      std::string text;
      for (const int index : feature.add) {
        text += (text.empty() ? "" : " + ") + spec.features[static_cast<std::size_t>(index)].name;
      }
      for (const int index : feature.subtract) {
        text += " - " + spec.features[static_cast<std::size_t>(index)].name;
      }
      return text;
    }
    default:
      return fmt::format("{}({})", aggregate_text(feature.kind), measure_text(spec, feature));
  }
}

double sketch_error(int bits) {
  const double m = bits, load = 0.5;
  return std::sqrt(m * (std::exp(load) - load - 1.0)) / (m * load);
}

int grain_of(const Feature& feature) {
  if (feature.kind == FeatureKind::distinct || feature.cells > 0) return grain_sketch;
  if (is_decayed(feature)) return grain_decayed;
  return feature.length > 0 ? 1 + static_cast<int>(feature.tier) : grain_exact;
}

std::string label_text(const Feature& feature) {
  if (feature.kind == FeatureKind::distinct) {
    const std::string sketch = fmt::format(
        "sketch({:.1f}% at {})", 100 * sketch_error(feature.sketch_bits), feature.sketch_bits / 2);
    if (!feature.exact_few) return sketch;
    const auto words = static_cast<std::uint32_t>(feature.sketch_bits) / 64;
    return fmt::format("exact to {}, then {}", few_hashes(words), sketch);
  }
  if (feature.kind == FeatureKind::quantile) {
    const int parts = (feature.cells - 1) / static_cast<int>(histogram_octaves);
    return fmt::format("sketch({:.1f}%)", 100.0 / (2 * parts));
  }
  if (feature.cells > 0) return fmt::format("sketch({} cells)", feature.cells);
  const int grain = grain_of(feature);
  if (grain == grain_exact) return "exact";
  if (grain == grain_decayed) return fmt::format("decayed({})", span_text(feature));
  return fmt::format("bucket({})", tier_names[static_cast<std::size_t>(feature.tier)]);
}

}  // namespace tidemark
