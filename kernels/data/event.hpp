// The vocabulary of one input record: where it came from, what it is, what became of it. Plain
// enums of fixed width, because columns of them go to the device.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark {

/// Input topics in their merge order: at the same instant an earlier source comes first.
enum class Source : std::uint8_t { payments, invoices, merchants, signals, feedback, control };
inline constexpr int source_count = 6;

/// What happened, over all sources. `none` stands for a row that could not be parsed.
enum class EventType : std::uint8_t {
  none,
  payment,
  refund,
  chargeback,
  payout,  // payments
  issued,
  paid,
  cancelled,
  overdue,
  disputed,  // invoices
  profile,
  tombstone,  // merchants
  signal,     // signals
  fraud,
  legitimate,
  loan_default,
  repaid,
  appeal,  // feedback
  activate_model,
  activate_policy,
  overlay,
  freeze,
  unfreeze,  // control
};
inline constexpr int event_type_count = 23;

/// The five ends of an input record (promise P3), and `pending` before one is known.
enum class Outcome : std::uint8_t { pending, scored, applied, dead_lettered, late, duplicate };

/// Why a record went to the dead letters. The names are the `error` header of that topic.
enum class RowError : std::uint8_t {
  none,
  empty_value,
  oversized,
  invalid_utf8,
  invalid_json,
  not_an_object,
  missing_field,
  wrong_type,
  empty_field,
  unknown_type,
  unknown_currency,
  invalid_amount,
  negative_amount,
  amount_precision,
  amount_overflow,
  invalid_time,
  invalid_number,
  unknown_time_zone,
  future_timestamp,
  key_mismatch,
  no_rate,
  unsupported_control,
};

/// Bits of the `flags` column.
enum EventFlag : std::uint8_t {
  flag_certified = 1,      // the source vouches for the event; absent counts as certified
  flag_time_readable = 2,  // event_time was parsed, whatever else is wrong with the row
};

std::string_view name_of(Source source);
std::string_view name_of(EventType type);
std::string_view name_of(Outcome outcome);
std::string_view name_of(RowError error);

/// Payments and invoices of every type are scored; the other sources are applied.
constexpr bool is_scored_source(Source source) {
  return source == Source::payments || source == Source::invoices;
}

}  // namespace tidemark
