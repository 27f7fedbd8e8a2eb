// See window_pass.hpp.
#include "features/window_pass.hpp"

#include <algorithm>

#include "kernels/base/civil_time.hpp"
#include "kernels/base/currency.hpp"

namespace tidemark {

namespace {

/// Merchants number their invoices alike, and a payer's record sees those of many.
std::uint64_t invoice_of(const EventBatch& batch, std::size_t row) {
  if (batch.invoice_hash[row] == 0) return 0;
  return batch.invoice_hash[row] ^ (batch.merchant_hash[row] * 0x9E3779B97F4A7C15ULL);
}

}  // namespace

WindowEvent window_event(const EventBatch& batch, std::size_t row) {
  WindowEvent event;
  event.time_ms = batch.event_time_ms[row];
  event.amount_minor = batch.amount_minor[row];
  event.payer_hash = batch.payer_hash[row];
  event.subject_hash = batch.event_id_hash[row];
  event.type = batch.type[row];
  unsigned bits = 0;
  if ((batch.flags[row] & flag_certified) != 0) bits |= event_bit_certified;
  if (batch.payer_hash[row] != 0) bits |= event_bit_payer;
  if (batch.invoice_hash[row] != 0) bits |= event_bit_invoice;
  if (batch.order_hash[row] != 0) bits |= event_bit_order;
  if (batch.source[row] == Source::feedback) event.subject_hash = batch.ref_hash[row];
  if (batch.source[row] == Source::invoices) {
    event.subject_hash = invoice_of(batch, row);
    if (batch.due_time_ms[row] != no_time) {
      event.due_ms = batch.due_time_ms[row];
      bits |= event_bit_due;
    }
  }
  event.bits = static_cast<std::uint8_t>(bits);
  return event;
}

std::uint8_t exponent_of(CurrencyCode currency) {
  return static_cast<std::uint8_t>(std::max(0, currency_exponent(currency)));
}

void WindowPass::prefetch_front(const unsigned char* record) const {
  for (std::uint32_t at = 0; at < plan.front_bytes; at += 64) __builtin_prefetch(record + at, 1);
}

void WindowPass::prefetch_buckets(unsigned char* record, std::uint32_t row) const {
  const WindowEvent event = window_event(batch, row);
  const RecordHead& head = field_at<RecordHead>(record, 0);
  if ((head.flags & record_started) == 0 || event.time_ms < head.clock_ms) return;
  const ZoneView& zone = zone_of_id(head.zone).view();
  const std::int32_t day = day_of_local_ms(event.time_ms + zone_offset_ms(zone, event.time_ms));
  for (std::uint32_t r = 0; r < plan.ring_count; ++r) {
    const Ring& ring = plan.rings[r];
    const RingState& state = field_at<RingState>(record, ring.state_offset);
    std::int64_t steps = 0;
    if (ring.tier < Tier::day || day != head.day) {
      steps = bucket_number(ring.tier, event.time_ms, day) -
              bucket_number(ring.tier, head.clock_ms, head.day);
    }
    const auto prefetch = [&](int age) {
      const unsigned char* bucket = bucket_of(ring, record, state.position, age);
      for (std::uint32_t at = 0; at < ring.bucket_bytes; at += 64)
        __builtin_prefetch(bucket + at, 1);
    };
    if (steps < 0) continue;
    const int turn = static_cast<int>(steps % ring.length);
    prefetch(turn == 0 ? 0 : ring.length - turn);
    if (steps == 0) continue;
    for (std::uint32_t g = ring.group_begin; g < ring.group_end; ++g) {
      const WindowGroup& group = plan.groups[g];
      const AgeSet inside = ages_between(group.age_begin, group.age_end);
      const AgeSet leaving = occupied_ages(ring, record) & inside & ~ages_before(inside, steps);
      const bool all = has_sketch(plan.shifts[group.step_begin].kind) && leaving != 0;
      for_each_age(all ? occupied_ages(ring, record) : leaving, prefetch);
    }
  }
}

}  // namespace tidemark
