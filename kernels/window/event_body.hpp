// One event into the rings and totals of a record, once, for host and device. No parallelism, no
// allocation, integers only.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/data/event.hpp"
#include "kernels/window/invoice_body.hpp"
#include "kernels/window/tail_body.hpp"
#include "kernels/window/window_body.hpp"

namespace tidemark {

/// Where an event meets the totals: the age of its bucket, the record they are in, and the
/// RecordFlags that a ceiling is noted in: not the record's own where several work on one record.
struct UpdateTarget {
  unsigned char* record = nullptr;
  unsigned char* bucket = nullptr;
  std::int64_t age = 0;
  std::uint8_t* flags = nullptr;
};

/// Adds `value` to a count or sum bucket, up to `ceiling`, and to every total that covers it.
template <typename Stored>
TIDEMARK_HD inline void add_to_bucket(const WindowPlanView& plan, const UpdateStep& step,
                                      const UpdateTarget& at, std::int64_t value,
                                      std::int64_t ceiling, std::uint32_t cell = 0) {
  constexpr std::uint32_t stored_bytes = sizeof(Stored);
  Stored& stored = field_at<Stored>(at.bucket, step.bucket_offset + stored_bytes * cell);
  const std::int64_t before = static_cast<std::int64_t>(stored);
  std::int64_t after = before + value;
  if (after > ceiling) {
    after = ceiling;
    *at.flags |= record_saturated;
  }
  stored = static_cast<Stored>(after);
  for (std::uint32_t m = step.member_begin; m < step.member_end; ++m) {
    const WindowMember& member = plan.members[m];
    if (at.age < member.age_begin || at.age >= member.age_end) continue;
    const std::int64_t delta = member.active ? (before == 0 && after > 0 ? 1 : 0) : after - before;
    field_at<std::int64_t>(at.record, member.target_offset + 8 * cell) += delta;
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
    *at.flags |= record_saturated;
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

/// The cell of an amount: 0 has the first, then every octave is cut into equal parts.
TIDEMARK_HD inline std::uint32_t histogram_cell(std::int64_t amount, std::uint32_t cells) {
  if (amount <= 0) return 0;
  const std::uint32_t parts = (cells - 1) / histogram_octaves;
  const std::uint32_t octave =
      static_cast<std::uint32_t>(highest_bit(static_cast<std::uint64_t>(amount)));
  const std::uint64_t beyond = static_cast<std::uint64_t>(amount) - (std::uint64_t{1} << octave);
  const auto part = static_cast<std::uint32_t>((static_cast<Wide>(beyond) * parts) >> octave);
  const std::uint32_t cell = 1 + octave * parts + part;
  return cell < cells ? cell : cells - 1;
}

/// Keeps the hash, or its bit once the hashes have found no room: the words then hold their bits.
TIDEMARK_HD inline void add_to_few(unsigned char* few, std::uint32_t words,
                                   std::uint64_t payer_hash) {
  std::uint64_t& kept = field_at<std::uint64_t>(few, 0);
  const auto word_at = [&](std::uint32_t word) -> std::uint64_t& {
    return field_at<std::uint64_t>(few, 8 + 8 * word);
  };
  const auto set_bit = [&](std::uint64_t hash) {
    const std::uint32_t bit = payer_place(hash, 64 * words);
    word_at(bit / 64) |= std::uint64_t{1} << (bit % 64);
  };
  const std::uint32_t room = few_hashes(words);
  if (kept > room) return set_bit(payer_hash);
  std::uint64_t hashes[few_hashes_max];
  for (std::uint32_t i = 0; i < kept; ++i) {
    hashes[i] = word_at(i);
    if (hashes[i] == payer_hash) return;
  }
  if (kept < room) {
    word_at(static_cast<std::uint32_t>(kept)) = payer_hash;
    ++kept;
    return;
  }
  kept = room + 1;
  for (std::uint32_t i = 0; i < room; ++i) word_at(i) = 0;
  for (std::uint32_t i = 0; i < room; ++i) set_bit(hashes[i]);
  set_bit(payer_hash);
}

TIDEMARK_HD inline void set_sketch_bit(const WindowPlanView& plan, const UpdateStep& step,
                                       const UpdateTarget& at, std::uint64_t payer_hash) {
  const std::uint32_t bit = payer_place(payer_hash, 64U * step.cells);
  const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
  const std::uint32_t word = 8 * (bit / 64);
  if (step.kind == Accumulator::few) {
    add_to_few(at.bucket + step.bucket_offset, step.cells, payer_hash);
  } else {
    field_at<std::uint64_t>(at.bucket, step.bucket_offset + word) |= mask;
  }
  for (std::uint32_t m = step.member_begin; m < step.member_end; ++m) {
    const WindowMember& member = plan.members[m];
    if (at.age < member.age_begin || at.age >= member.age_end) continue;
    field_at<std::uint64_t>(at.record, member.target_offset + word) |= mask;
  }
}

TIDEMARK_HD inline void run_update_step(const WindowPlanView& plan, const UpdateStep& step,
                                        const UpdateTarget& at, const WindowEvent& event,
                                        const EventPlace& place) {
  const std::int64_t value = value_of(event, place, step.value);
  const bool too_large = value > bucket_sum_max;
  const std::int64_t amount = too_large ? bucket_sum_max : value;
  if (too_large) *at.flags |= record_saturated;
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
    case Accumulator::few:
      return set_sketch_bit(plan, step, at, event.payer_hash);
    case Accumulator::histogram:
      return add_to_bucket<std::uint32_t>(plan, step, at, 1, UINT32_MAX,
                                          histogram_cell(amount, step.cells));
    case Accumulator::payer_sums:
      return add_to_bucket<std::int64_t>(plan, step, at, amount, bucket_sum_max,
                                         payer_place(event.payer_hash, step.cells));
  }
}

/// Whether the event passes: its facts, and its amount in the record's currency.
TIDEMARK_HD inline bool takes_event(const WindowPlanView& plan, const EventFilter& filter,
                                    const WindowEvent& event, const EventPlace& place,
                                    std::uint8_t exponent) {
  if ((place.bits & filter.need_mask) != filter.need_bits) return false;
  if (filter.amount_test == 0) return true;
  const AmountTest& test = plan.amount_tests[filter.amount_test - 1];
  const Wide amount =
      static_cast<Wide>(event.amount_minor) * static_cast<Wide>(ten_thousandths(exponent));
  if (amount < static_cast<Wide>(test.least_e4)) return false;
  if (test.below_e4 != 0 && amount >= static_cast<Wide>(test.below_e4)) return false;
  return test.multiple_e4 == 0 || amount % static_cast<Wide>(test.multiple_e4) == 0;
}

/// Adds an event to a decayed sum, as if it had come in time.
TIDEMARK_HD inline void add_decayed(const WindowPlanView& plan, const DecayStep& step,
                                    const RecordHead& head, const WindowEvent& event,
                                    const EventPlace& place, unsigned char* record,
                                    std::uint8_t* flags) {
  const Decay& decay = plan.decays[step.decay];
  const std::int64_t age = bucket_number(decay.tier, head.clock_ms, head.day) -
                           bucket_number(decay.tier, event.time_ms, place.day);
  const std::int64_t wanted = step.is_sum ? value_of(event, place, step.value) : 1;
  const std::int64_t amount = wanted < decayed_max >> 16 ? wanted : decayed_max >> 16;
  std::int64_t& value = field_at<std::int64_t>(record, decay.target_offset);
  const std::int64_t room = decayed_max - value;
  const std::int64_t added = decayed_by(plan, decay, amount << 16, age);
  if (added > room || amount != wanted) *flags |= record_saturated;
  value += added < room ? added : room;
}

/// One event into one key's windows; the record's zone gave `placed`.
TIDEMARK_HD inline void apply_event(const WindowPlanView& plan, unsigned char* record,
                                    const WindowEvent& event, const EventPlace& placed) {
  EventPlace place = placed;
  find_issue(plan, record, event, place);
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
                          age, &head.flags};
    bool touched = false;
    for (std::uint32_t s = update.step_begin; s < update.step_end; ++s) {
      const UpdateStep& step = plan.updates[s];
      if (!takes_event(plan, step.filter, event, place, head.exponent)) continue;
      touched = true;
      run_update_step(plan, step, at, event, place);
    }
    if (touched) occupied_word(ring, record, age >= 64) |= std::uint64_t{1} << (age % 64);
  }
  for (std::uint32_t s = updates.last_begin; s < updates.last_end; ++s) {
    const LastStep& step = plan.lasts[s];
    if (!takes_event(plan, step.filter, event, place, head.exponent)) continue;
    std::uint64_t& last = field_at<std::uint64_t>(record, step.target_offset);
    const std::uint64_t time = ordered_time(event.time_ms);
    if (time > last) last = time;
  }
  for (std::uint32_t s = updates.decay_begin; s < updates.decay_end; ++s) {
    const DecayStep& step = plan.decay_steps[s];
    if (!takes_event(plan, step.filter, event, place, head.exponent)) continue;
    add_decayed(plan, step, head, event, place, record, &head.flags);
  }
  for (std::uint32_t s = updates.tail_begin; s < updates.tail_end; ++s) {
    const TailStep& step = plan.tail_steps[s];
    if (!takes_event(plan, step.filter, event, place, head.exponent)) continue;
    run_tail_step(plan, step, event, place, record, &head.flags);
  }
  file_invoice(plan, record, event, place, &head.flags);
}

}  // namespace tidemark
