// The fields of the six sources, in the order of the contract: required ones first, so that the
// first error in this order is the one that a dead letter names. Constants only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/data/event.hpp"

namespace tidemark {

/// Every field that some source knows. All others are ignored.
enum class Field : std::uint8_t {
  event_id,
  merchant_id,
  type,
  event_time,
  amount,
  currency,
  payer_id,
  channel,
  certified,
  ref_event_id,
  invoice_id,
  order_id,
  buyer_id,
  due_time,
  industry,
  region,
  time_zone,
  opened_at,
  inputs,
  name,
  value,
  unit,
  outcome,
  bundle,
  factor,
};
inline constexpr std::size_t field_count = 25;

inline constexpr std::array<std::string_view, field_count> field_names = {
    "event_id", "merchant_id", "type",         "event_time", "amount",   "currency", "payer_id",
    "channel",  "certified",   "ref_event_id", "invoice_id", "order_id", "buyer_id", "due_time",
    "industry", "region",      "time_zone",    "opened_at",  "inputs",   "name",     "value",
    "unit",     "outcome",     "bundle",       "factor"};

constexpr std::string_view name_of(Field field) {
  return field_names[static_cast<std::size_t>(field)];
}
constexpr std::uint32_t bit_of(Field field) {
  return 1u << static_cast<unsigned>(field);
}

inline constexpr std::array payments_fields = {
    Field::event_id,  Field::merchant_id,  Field::type,       Field::event_time,
    Field::amount,    Field::currency,     Field::payer_id,   Field::channel,
    Field::certified, Field::ref_event_id, Field::invoice_id, Field::order_id};
inline constexpr std::array invoices_fields = {
    Field::event_id,   Field::merchant_id, Field::type,     Field::event_time,
    Field::invoice_id, Field::amount,      Field::currency, Field::buyer_id,
    Field::due_time,   Field::order_id,    Field::certified};
inline constexpr std::array merchants_fields = {
    Field::merchant_id, Field::event_time, Field::currency,  Field::industry,
    Field::region,      Field::time_zone,  Field::opened_at, Field::inputs};
inline constexpr std::array signals_fields = {
    Field::event_id, Field::merchant_id, Field::event_time, Field::name,
    Field::value,    Field::unit,        Field::certified};
inline constexpr std::array feedback_fields = {Field::event_id,     Field::merchant_id,
                                               Field::type,         Field::event_time,
                                               Field::ref_event_id, Field::outcome};
inline constexpr std::array control_fields = {
    Field::event_id,    Field::type,   Field::event_time, Field::bundle,
    Field::merchant_id, Field::region, Field::industry,   Field::factor};

constexpr std::span<const Field> fields_of(Source source) {
  switch (source) {
    case Source::payments:
      return payments_fields;
    case Source::invoices:
      return invoices_fields;
    case Source::merchants:
      return merchants_fields;
    case Source::signals:
      return signals_fields;
    case Source::feedback:
      return feedback_fields;
    case Source::control:
      break;
  }
  return control_fields;
}

}  // namespace tidemark
