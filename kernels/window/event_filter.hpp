// Which events a step of a plan takes, and which of their numbers. Part of the compiled plan
// (window_plan.hpp): plain data, immutable, the same on host and device.
#pragma once

#include <cstdint>

namespace tidemark {

/// Facts about an event that measures filter by.
enum EventBit : std::uint8_t {
  event_bit_night = 1,    // local hour 0 to 6
  event_bit_weekend = 2,  // local Saturday or Sunday
  event_bit_certified = 4,
  event_bit_payer = 8,  // has a payer or buyer
  event_bit_invoice = 16,
  event_bit_order = 32,    // names an invoice, an order
  event_bit_due = 64,      // has a due time
  event_bit_issued = 128,  // pays an invoice whose issue the record holds
};

/// The number that a measure takes of an event. Days are whole ones of the key's calendar.
enum class EventValue : std::uint8_t { amount, days_to_pay, days_past_due };

/// Which amounts a measure takes, in ten-thousandths of the major unit, so that it asks the same of
/// every currency: from `least_e4`, below `below_e4`, a multiple of `multiple_e4`; 0 asks nothing.
struct AmountTest {
  std::int64_t least_e4 = 0;
  std::int64_t below_e4 = 0;
  std::int64_t multiple_e4 = 0;
  bool operator==(const AmountTest&) const = default;
};

/// Which events a step takes: those with (bits & need_mask) == need_bits whose amount passes.
struct EventFilter {
  std::uint8_t need_mask = 0, need_bits = 0;
  std::uint16_t amount_test = 0;  // 0: none, else one more than its number
};

}  // namespace tidemark
