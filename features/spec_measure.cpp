// See spec_measure.hpp.
#include "features/spec_measure.hpp"

#include <cmath>

namespace tidemark {
namespace {

constexpr std::array<std::pair<std::string_view, Source>, 4> sources = {{
    {"payments", Source::payments},
    {"invoices", Source::invoices},
    {"signals", Source::signals},
    {"feedback", Source::feedback},
}};

constexpr std::array<std::pair<std::string_view, EventValue>, 3> values = {{
    {"amount", EventValue::amount},
    {"days_to_pay", EventValue::days_to_pay},
    {"days_past_due", EventValue::days_past_due},
}};

constexpr std::uint32_t type_bit(EventType type) {
  return 1U << static_cast<unsigned>(type);
}

void read_where(YamlMap where, Measure& measure) {
  for (const std::string& fact : where.keys()) {
    const auto bit = look_up(event_bits, fact);
    if (!bit) continue;  // an amount, or refused by done() below
    measure.need_mask |= *bit;
    if (where.flag(fact, true)) measure.need_bits |= *bit;
  }
  measure.amount.least_e4 = read_amount_e4(where, "amount_from");
  measure.amount.below_e4 = read_amount_e4(where, "amount_below");
  measure.amount.multiple_e4 = read_amount_e4(where, "amount_multiple_of");
  if (measure.amount != AmountTest{} && !is_scored_source(measure.source)) {
    where.fail(where.keys().front(),
               "events of " + std::string(name_of(measure.source)) + " have no amount");
  }
  if (measure.amount.below_e4 != 0 && measure.amount.least_e4 >= measure.amount.below_e4) {
    where.fail("amount_below", "is not above amount_from: no amount would pass");
  }
  where.done();
}

/// Days are those of an event's invoice: of one that is paid, to its payment; of one that is paid
/// or overdue, from the day on which it was due.
void read_days(YamlMap& map, Measure& measure) {
  const std::string value = map.text("value");
  if (measure.source != Source::invoices) {
    map.fail("value", "events of " + std::string(name_of(measure.source)) + " have no " + value);
  }
  const bool to_pay = measure.value == EventValue::days_to_pay;
  const std::uint32_t paid = type_bit(EventType::paid);
  const std::uint32_t possible = to_pay ? paid : paid | type_bit(EventType::overdue);
  if ((measure.types & ~possible) != 0) {
    map.fail(map.has("types") ? "types" : "value", value + " are those of events of type paid" +
                                                       (to_pay ? " alone" : " or overdue") +
                                                       ": list them under 'types'");
  }
  const std::uint8_t bit = to_pay ? event_bit_issued : event_bit_due;
  if ((measure.need_mask & bit) != 0 && (measure.need_bits & bit) == 0) {
    map.fail("where", "what is not due has no " + value);
  }
  measure.need_mask |= bit;
  measure.need_bits |= bit;
  if (to_pay) measure.open = static_cast<int>(map.integer("open", 64, 1, open_invoices_max));
}

void read_value(YamlMap& map, Measure& measure) {
  const std::string value = map.text("value", "amount");
  const auto found = look_up(values, value);
  if (!found) {
    map.fail("value", "'" + value + "' is none of amount, days_to_pay, days_past_due");
  }
  measure.has_value = map.has("value");
  measure.value = *found;
  if (measure.value != EventValue::amount) return read_days(map, measure);
  if (measure.has_value && !is_scored_source(measure.source)) {
    map.fail("value", "events of " + std::string(name_of(measure.source)) + " have no amount");
  }
}

}  // namespace

std::int64_t read_amount_e4(YamlMap& map, const std::string& key) {
  if (!map.has(key)) return 0;
  const double scaled = map.number(key) * 1e4;
  if (!(scaled >= 1) || scaled > 1e18 || std::fabs(scaled - std::round(scaled)) > 1e-3) {
    map.fail(key, "expected an amount above 0 with at most 4 decimals");
  }
  return std::llround(scaled);
}

std::uint32_t types_of(Source source) {
  const auto range = [](EventType first, EventType last) {
    return type_bit(last) * 2 - type_bit(first);
  };
  switch (source) {
    case Source::payments:
      return range(EventType::payment, EventType::payout);
    case Source::invoices:
      return range(EventType::issued, EventType::disputed);
    case Source::signals:
      return type_bit(EventType::signal);
    case Source::feedback:
      return range(EventType::fraud, EventType::appeal);
    default:
      return 0;
  }
}

std::uint32_t read_types(YamlMap& map, std::uint32_t possible) {
  const std::vector<YAML::Node> listed = map.list("types");
  if (!map.has("types")) return possible;
  std::uint32_t types = 0;
  for (const YAML::Node& node : listed) {
    std::uint32_t found = 0;
    for (int t = 1; node.IsScalar() && t < event_type_count; ++t) {
      const EventType type = static_cast<EventType>(t);
      if (name_of(type) == node.Scalar()) found = type_bit(type) & possible;
    }
    if (found == 0) {
      YamlMap::fail_at(
          map.origin(), node,
          "'" + (node.IsScalar() ? node.Scalar() : "?") + "' is no event type of this source");
    }
    types |= found;
  }
  if (types == 0) map.fail("types", "lists no type");
  return types;
}

Entity read_entity(YamlMap& map) {
  const std::string entity = map.text("entity", "merchant");
  if (entity != "merchant" && entity != "payer") {
    map.fail("entity", "'" + entity + "' is none of merchant, payer");
  }
  return entity == "payer" ? Entity::payer : Entity::merchant;
}

Measure read_measure(const std::string& name, YamlMap map) {
  Measure measure;
  measure.name = name;
  measure.entity = read_entity(map);
  const std::string source = map.text("source");
  const auto found = look_up(sources, source);
  if (!found)
    map.fail("source", "'" + source + "' is none of payments, invoices, signals, feedback");
  measure.source = *found;
  if (measure.entity == Entity::payer && !is_scored_source(measure.source)) {
    map.fail("entity", "events of " + source + " name no payer");
  }
  measure.types = read_types(map, types_of(measure.source));
  read_where(map.map("where"), measure);
  read_value(map, measure);
  map.done();
  return measure;
}

}  // namespace tidemark
