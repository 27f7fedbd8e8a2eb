// A row of a batch as the windows of one key see it once it is admitted, and what it does to the
// head of the record before its event. Host and device; no parallelism, no allocation.
#pragma once

#include <cstdint>

#include "kernels/base/currency.hpp"
#include "kernels/base/host_device.hpp"
#include "kernels/window/window_body.hpp"

namespace tidemark {

enum class RowRole : std::uint8_t {
  left_out,  // changes nothing
  applied,
  scored,   // has a currency, which the record's first becomes
  profile,  // a profile or its tombstone: sets zone and currency
};

/// Rows and not columns: a key's rows lie anywhere in the batch, so that one of them is two sectors
/// of memory where eight columns would be eight.
struct WindowRow {
  std::int64_t time_ms = 0;
  std::int64_t amount_minor = 0;
  std::uint64_t payer_hash = 0;
  std::uint64_t subject_hash = 0;
  std::int64_t due_ms = 0;
  std::uint32_t currency = 0;    // of a profile: the one it names, 0 for none
  std::uint32_t matrix_row = 0;  // UINT32_MAX: not read out
  std::uint16_t zone = 0;        // of a profile
  std::uint16_t group = 0;       // of a profile: of those that the plan's tables speak of
  EventType type = EventType::none;
  std::uint8_t bits = 0;  // EventBit, less those of the calendar
  RowRole role = RowRole::left_out;
};
static_assert(sizeof(WindowRow) == 56);

TIDEMARK_HD inline WindowEvent event_of(const WindowRow& row) {
  return {row.time_ms, row.amount_minor, row.payer_hash, row.subject_hash,
          row.due_ms,  row.type,         row.bits};
}

TIDEMARK_HD inline std::uint32_t currency_in_force(const RecordHead& head) {
  return head.profile_currency != 0 ? head.profile_currency : head.first_currency;
}

TIDEMARK_HD inline void settle_exponent(const std::int8_t* exponents, RecordHead& head) {
  const int exponent = exponent_in(exponents, currency_in_force(head));
  head.exponent = static_cast<std::uint8_t>(exponent > 0 ? exponent : 0);
}

/// What becomes of a row: whether the windows lose what they hold first, because amounts of two
/// currencies have no sum; and whether its event counts, which one in another currency does not.
struct RowEffect {
  bool empties = false;
  bool counts = true;
};

TIDEMARK_HD inline RowEffect settle_row(const WindowRow& row, const std::int8_t* exponents,
                                        RecordHead& head) {
  RowEffect effect;
  if (row.role == RowRole::left_out) return {false, false};
  if (row.role == RowRole::profile) {
    const std::uint32_t before = currency_in_force(head);
    head.zone = row.zone;
    head.profile_currency = row.currency;
    settle_exponent(exponents, head);
    effect.empties = head.first_currency != 0 && currency_in_force(head) != before;
  }
  if (row.role == RowRole::scored) {
    if (head.first_currency == 0) {
      head.first_currency = row.currency;
      settle_exponent(exponents, head);
    }
    effect.counts = row.currency == currency_in_force(head);
  }
  return effect;
}

}  // namespace tidemark
