// One event into the rings and totals of a record, once, for host and device. No parallelism, no
// allocation, integers only.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/data/event.hpp"
#include "kernels/window/window_body.hpp"

namespace tidemark {

/// Where an event meets the totals: the age of its bucket, and the record they are in.
struct UpdateTarget {
  unsigned char* record = nullptr;
  unsigned char* bucket = nullptr;
  std::int64_t age = 0;
};

/// Adds `value` to a count or sum bucket, up to `ceiling`, and to every total that covers it.
template <typename Stored>
TIDEMARK_HD inline void add_to_bucket(const WindowPlanView& plan, const UpdateStep& step,
                                      const UpdateTarget& at, std::int64_t value,
                                      std::int64_t ceiling) {
  Stored& stored = field_at<Stored>(at.bucket, step.bucket_offset);
  const std::int64_t before = static_cast<std::int64_t>(stored);
  std::int64_t after = before + value;
  if (after > ceiling) {
    after = ceiling;
    field_at<RecordHead>(at.record, 0).flags |= record_saturated;
  }
  stored = static_cast<Stored>(after);
  for (std::uint32_t m = step.member_begin; m < step.member_end; ++m) {
    const WindowMember& member = plan.members[m];
    if (at.age < member.age_begin || at.age >= member.age_end) continue;
    const std::int64_t delta = member.active ? (before == 0 && after > 0 ? 1 : 0) : after - before;
    field_at<std::int64_t>(at.record, member.target_offset) += delta;
  }
}

TIDEMARK_HD inline void add_square(const WindowPlanView& plan, const UpdateStep& step,
                                   const UpdateTarget& at, std::int64_t amount) {
  Wide& stored = field_at<Wide>(at.bucket, step.bucket_offset);
  const Wide ceiling = Wide{1} << 120;  // 2^7 buckets of it still fit
  const Wide before = stored;
  Wide after = before + static_cast<Wide>(amount) * static_cast<Wide>(amount);
  if (after > ceiling) {
    after = ceiling;
    field_at<RecordHead>(at.record, 0).flags |= record_saturated;
  }
  stored = after;
  for (std::uint32_t m = step.member_begin; m < step.member_end; ++m) {
    const WindowMember& member = plan.members[m];
    if (at.age < member.age_begin || at.age >= member.age_end) continue;
    field_at<Wide>(at.record, member.target_offset) += after - before;
  }
}

TIDEMARK_HD inline void raise_maximum(const WindowPlanView& plan, const UpdateStep& step,
                                      const UpdateTarget& at, std::int64_t value) {
  std::int64_t& stored = field_at<std::int64_t>(at.bucket, step.bucket_offset);
  if (value > stored) stored = value;
  for (std::uint32_t m = step.member_begin; m < step.member_end; ++m) {
    const WindowMember& member = plan.members[m];
    if (at.age < member.age_begin || at.age >= member.age_end) continue;
    std::int64_t& total = field_at<std::int64_t>(at.record, member.target_offset);
    if (value > total) total = value;
  }
}

/// Which bit of a sketch stands for a payer. One multiplication spreads hashes that are not spread.
TIDEMARK_HD inline std::uint32_t sketch_bit(std::uint64_t payer_hash, std::uint32_t words) {
  return static_cast<std::uint32_t>((payer_hash * 0x9E3779B97F4A7C15ULL) >> 40) & (64 * words - 1);
}

TIDEMARK_HD inline void set_sketch_bit(const WindowPlanView& plan, const UpdateStep& step,
                                       const UpdateTarget& at, std::uint64_t payer_hash) {
  const std::uint32_t bit = sketch_bit(payer_hash, step.sketch_words);
  const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
  const std::uint32_t word = 8 * (bit / 64);
  field_at<std::uint64_t>(at.bucket, step.bucket_offset + word) |= mask;
  for (std::uint32_t m = step.member_begin; m < step.member_end; ++m) {
    const WindowMember& member = plan.members[m];
    if (at.age < member.age_begin || at.age >= member.age_end) continue;
    field_at<std::uint64_t>(at.record, member.target_offset + word) |= mask;
  }
}

TIDEMARK_HD inline void run_update_step(const WindowPlanView& plan, const UpdateStep& step,
                                        const UpdateTarget& at, const WindowEvent& event) {
  const bool too_large = event.amount_minor > bucket_sum_max;
  const std::int64_t amount = too_large ? bucket_sum_max : event.amount_minor;
  if (too_large) field_at<RecordHead>(at.record, 0).flags |= record_saturated;
  switch (step.kind) {
    case Accumulator::count:
      return add_to_bucket<std::uint32_t>(plan, step, at, 1, UINT32_MAX);
    case Accumulator::sum:
      return add_to_bucket<std::int64_t>(plan, step, at, amount, bucket_sum_max);
    case Accumulator::sum_squares:
      return add_square(plan, step, at, amount);
    case Accumulator::greatest:
      return raise_maximum(plan, step, at, amount + 1);
    case Accumulator::least:
      return raise_maximum(plan, step, at, bucket_sum_max - amount + 1);
    case Accumulator::sketch:
      return set_sketch_bit(plan, step, at, event.payer_hash);
  }
}

/// Ten to the power of 4 less the digits after the point; exponents of ISO 4217 end at 4.
TIDEMARK_HD constexpr std::int64_t ten_thousandths(std::uint8_t exponent) {
  std::int64_t factor = 1;
  for (int digit = exponent; digit < 4; ++digit) factor *= 10;
  return factor;
}

/// Whether a step takes the event: its facts, and its amount in the record's currency.
template <typename Step>
TIDEMARK_HD inline bool takes_event(const WindowPlanView& plan, const Step& step,
                                    const WindowEvent& event, const EventPlace& place,
                                    std::uint8_t exponent) {
  if ((place.bits & step.need_mask) != step.need_bits) return false;
  if (step.amount_test == 0) return true;
  const AmountTest& test = plan.amount_tests[step.amount_test - 1];
  const Wide amount =
      static_cast<Wide>(event.amount_minor) * static_cast<Wide>(ten_thousandths(exponent));
  if (amount < static_cast<Wide>(test.least_e4)) return false;
  if (test.below_e4 != 0 && amount >= static_cast<Wide>(test.below_e4)) return false;
  return test.multiple_e4 == 0 || amount % static_cast<Wide>(test.multiple_e4) == 0;
}

/// One event into one key's windows; the record's zone gave `place`.
TIDEMARK_HD inline void apply_event(const WindowPlanView& plan, unsigned char* record,
                                    const WindowEvent& event, const EventPlace& place) {
  advance_record(plan, record, event.time_ms, place.day);
  RecordHead& head = field_at<RecordHead>(record, 0);
  if (event.time_ms < head.first_ms) head.first_ms = event.time_ms;
  const TypeUpdates& updates = plan.types[static_cast<int>(event.type)];
  for (std::uint32_t u = updates.ring_begin; u < updates.ring_end; ++u) {
    const RingUpdate& update = plan.ring_updates[u];
    const Ring& ring = plan.rings[update.ring];
    const std::int64_t age = bucket_number(ring.tier, head.clock_ms, head.day) -
                             bucket_number(ring.tier, event.time_ms, place.day);
    if (age >= ring.length) continue;
    const RingState& state = field_at<RingState>(record, ring.state_offset);
    const UpdateTarget at{record, bucket_of(ring, record, state.position, static_cast<int>(age)),
                          age};
    bool touched = false;
    for (std::uint32_t s = update.step_begin; s < update.step_end; ++s) {
      const UpdateStep& step = plan.updates[s];
      if (!takes_event(plan, step, event, place, head.exponent)) continue;
      touched = true;
      run_update_step(plan, step, at, event);
    }
    if (touched) occupied_word(ring, record, age >= 64) |= std::uint64_t{1} << (age % 64);
  }
  for (std::uint32_t s = updates.last_begin; s < updates.last_end; ++s) {
    const LastStep& step = plan.lasts[s];
    if (!takes_event(plan, step, event, place, head.exponent)) continue;
    std::uint64_t& last = field_at<std::uint64_t>(record, step.target_offset);
    const std::uint64_t time = ordered_time(event.time_ms);
    if (time > last) last = time;
  }
}

}  // namespace tidemark
