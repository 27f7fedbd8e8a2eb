// The smallest tasks of the windows, once, for host and device: an event's place in the calendar,
// and what a clock that moves does to a record. No parallelism, no allocation, integers only. One
// thread per record at a time; event_body.hpp puts an event into it, read_body.hpp turns it into a
// row.
#pragma once

#include <cstdint>

#include "kernels/base/civil_time.hpp"
#include "kernels/base/host_device.hpp"
#include "kernels/data/event.hpp"
#include "kernels/window/ages.hpp"
#include "kernels/window/window_plan.hpp"

namespace tidemark {

/// What the windows see of an event.
struct WindowEvent {
  std::int64_t time_ms = 0;
  std::int64_t amount_minor = 0;
  std::uint64_t payer_hash = 0;
  // Of feedback the event that it speaks of, of an invoice's event the merchant's invoice, else the
  // event's own.
  std::uint64_t subject_hash = 0;
  std::int64_t due_ms = 0;  // where it has event_bit_due
  EventType type = EventType::none;
  std::uint8_t bits = 0;  // EventBit, less those of the calendar
};

/// The event's place in the merchant's calendar, worked out once.
struct EventPlace {
  std::int32_t day = 0;
  std::uint8_t bits = 0;           // EventBit
  std::int32_t days_past_due = 0;  // with event_bit_due; 0 up to the day itself
  std::int32_t days_to_pay = 0;    // with event_bit_issued
};

template <typename T>
TIDEMARK_HD inline T& field_at(unsigned char* memory, std::uint32_t offset) {
  return *reinterpret_cast<T*>(memory + offset);
}
template <typename T>
TIDEMARK_HD inline const T& field_at(const unsigned char* memory, std::uint32_t offset) {
  return *reinterpret_cast<const T*>(memory + offset);
}

TIDEMARK_HD inline EventPlace place_of(const WindowEvent& event, const ZoneView& zone) {
  const std::int64_t local_ms = event.time_ms + zone_offset_ms(zone, event.time_ms);
  EventPlace place;
  place.day = day_of_local_ms(local_ms);
  unsigned bits = event.bits;
  if (hour_of_local_ms(local_ms) <= 6) bits |= event_bit_night;
  if (weekday_of_day(place.day) >= 5) bits |= event_bit_weekend;
  place.bits = static_cast<std::uint8_t>(bits);
  if ((bits & event_bit_due) != 0) {
    const std::int32_t due = day_of_local_ms(event.due_ms + zone_offset_ms(zone, event.due_ms));
    place.days_past_due = place.day > due ? place.day - due : 0;
  }
  return place;
}

/// What a measure takes of an event that passes its filter; never below 0.
TIDEMARK_HD inline std::int64_t value_of(const WindowEvent& event, const EventPlace& place,
                                         EventValue value) {
  if (value == EventValue::days_to_pay) return place.days_to_pay;
  if (value == EventValue::days_past_due) return place.days_past_due;
  return event.amount_minor;
}

/// Number of the bucket that holds an instant; `day` is its local day.
TIDEMARK_HD inline std::int64_t bucket_number(Tier tier, std::int64_t time_ms, std::int32_t day) {
  switch (tier) {
    case Tier::minute:
      return floor_div(time_ms, ms_per_minute);
    case Tier::hour:
      return floor_div(time_ms, ms_per_hour);
    case Tier::day:
      return day;
    case Tier::week:
      return week_of_day(day);
    case Tier::month:
      return month_of_day(day);
  }
  return 0;
}

/// Times as unsigned numbers in the same order, so that zeroed memory is before all of them.
TIDEMARK_HD constexpr std::uint64_t ordered_time(std::int64_t time_ms) {
  return static_cast<std::uint64_t>(time_ms) ^ (std::uint64_t{1} << 63);
}

/// Ten to the power of 4 less the digits after the point; exponents of ISO 4217 end at 4.
TIDEMARK_HD constexpr std::int64_t ten_thousandths(std::uint8_t exponent) {
  std::int64_t factor = 1;
  for (int digit = exponent; digit < 4; ++digit) factor *= 10;
  return factor;
}

/// True when no ring of the plan, at the given clock, still has the event's bucket.
TIDEMARK_HD inline bool is_too_late(const WindowPlanView& plan, std::int64_t clock_ms,
                                    std::int32_t clock_day, std::int64_t time_ms,
                                    std::int32_t day) {
  bool any = false;
  for (int tier = 0; tier < tier_count; ++tier) {
    if (plan.tier_buckets[tier] == 0) continue;
    any = true;
    const Tier kind = static_cast<Tier>(tier);
    const std::int64_t age =
        bucket_number(kind, clock_ms, clock_day) - bucket_number(kind, time_ms, day);
    if (age < plan.tier_buckets[tier]) return false;
  }
  return any;
}

/// The bucket of an age in the memory of a record.
template <typename Byte>
TIDEMARK_HD inline Byte* bucket_of(const Ring& ring, Byte* record, std::uint32_t position,
                                   int age) {
  std::int32_t index = static_cast<std::int32_t>(position) - age;
  if (index < 0) index += ring.length;
  return record + ring.bucket_offset + static_cast<std::uint32_t>(index) * ring.bucket_bytes;
}

template <typename Byte>
TIDEMARK_HD inline auto& occupied_word(const Ring& ring, Byte* record, bool high) {
  return field_at<std::uint64_t>(
      record, ring.state_offset + (high ? static_cast<std::uint32_t>(sizeof(RingState)) : 0));
}

TIDEMARK_HD inline AgeSet occupied_ages(const Ring& ring, const unsigned char* record) {
  const AgeSet high = ring.length > 64 ? occupied_word(ring, record, true) : 0;
  return (high << 64) | occupied_word(ring, record, false);
}

TIDEMARK_HD inline void set_occupied_ages(const Ring& ring, unsigned char* record, AgeSet ages) {
  occupied_word(ring, record, false) = static_cast<std::uint64_t>(ages);
  if (ring.length > 64) {
    occupied_word(ring, record, true) = static_cast<std::uint64_t>(ages >> 64);
  }
}

/// Which of `places`, a power of two, stands for a payer. One multiplication spreads hashes that
/// are not spread.
TIDEMARK_HD inline std::uint32_t payer_place(std::uint64_t payer_hash, std::uint32_t places) {
  return static_cast<std::uint32_t>((payer_hash * 0x9E3779B97F4A7C15ULL) >> 40) & (places - 1);
}

/// A word of the sketch that a bucket of `few` is, or would be of the hashes that it keeps.
TIDEMARK_HD inline std::uint64_t few_word(const unsigned char* few, std::uint32_t words,
                                          std::uint32_t word) {
  const std::uint64_t kept = field_at<std::uint64_t>(few, 0);
  if (kept > few_hashes(words)) return field_at<std::uint64_t>(few, 8 + 8 * word);
  std::uint64_t bits = 0;
  for (std::uint32_t i = 0; i < kept; ++i) {
    const std::uint32_t bit = payer_place(field_at<std::uint64_t>(few, 8 + 8 * i), 64 * words);
    if (bit / 64 == word) bits |= std::uint64_t{1} << (bit % 64);
  }
  return bits;
}

/// Adds (or takes away) what one cell of a bucket holds to the total's, of what has several.
TIDEMARK_HD inline void merge_cell(const ShiftStep& step, const unsigned char* bucket,
                                   unsigned char* record, std::uint32_t cell, bool take_away) {
  const std::uint32_t at =
      step.bucket_offset + (step.kind == Accumulator::histogram ? 4 : 8) * cell;
  const std::uint32_t total = step.target_offset + 8 * cell;
  if (step.kind == Accumulator::few) {
    if (!take_away) {
      field_at<std::uint64_t>(record, total) |=
          few_word(bucket + step.bucket_offset, step.cells, cell);
    }
    return;
  }
  if (step.kind == Accumulator::sketch) {
    if (!take_away) field_at<std::uint64_t>(record, total) |= field_at<std::uint64_t>(bucket, at);
    return;
  }
  const std::int64_t value = step.kind == Accumulator::histogram
                                 ? field_at<std::uint32_t>(bucket, at)
                                 : field_at<std::int64_t>(bucket, at);
  field_at<std::int64_t>(record, total) += take_away ? -value : value;
}

/// The same of all cells of `few`: hashes are looked at once and not once a cell.
TIDEMARK_HD inline void merge_few(const ShiftStep& step, const unsigned char* few,
                                  unsigned char* record) {
  const std::uint64_t kept = field_at<std::uint64_t>(few, 0);
  const auto total_at = [&](std::uint32_t word) -> std::uint64_t& {
    return field_at<std::uint64_t>(record, step.target_offset + 8 * word);
  };
  if (kept > few_hashes(step.cells)) {
    for (std::uint32_t word = 0; word < step.cells; ++word) {
      total_at(word) |= field_at<std::uint64_t>(few, 8 + 8 * word);
    }
    return;
  }
  for (std::uint32_t i = 0; i < kept; ++i) {
    const std::uint32_t bit =
        payer_place(field_at<std::uint64_t>(few, 8 + 8 * i), 64U * step.cells);
    total_at(bit / 64) |= std::uint64_t{1} << (bit % 64);
  }
}

/// Adds (or takes away) what a bucket holds to a total. Maxima and sketches only grow here.
TIDEMARK_HD inline void merge_bucket(const ShiftStep& step, const unsigned char* bucket,
                                     unsigned char* record, bool take_away) {
  switch (step.kind) {
    case Accumulator::count:
    case Accumulator::sum: {
      std::int64_t value = step.kind == Accumulator::count
                               ? field_at<std::uint32_t>(bucket, step.bucket_offset)
                               : field_at<std::int64_t>(bucket, step.bucket_offset);
      if (step.active) value = value > 0 ? 1 : 0;
      field_at<std::int64_t>(record, step.target_offset) += take_away ? -value : value;
      break;
    }
    case Accumulator::sum_squares: {
      const Wide value = field_at<Wide>(bucket, step.bucket_offset);
      Wide& total = field_at<Wide>(record, step.target_offset);
      total = take_away ? total - value : total + value;
      break;
    }
    case Accumulator::greatest:
    case Accumulator::least: {
      const std::int64_t value = field_at<std::int64_t>(bucket, step.bucket_offset);
      std::int64_t& total = field_at<std::int64_t>(record, step.target_offset);
      if (!take_away && value > total) total = value;
      break;
    }
    case Accumulator::few:
      if (!take_away) merge_few(step, bucket + step.bucket_offset, record);
      break;
    case Accumulator::histogram:
    case Accumulator::payer_sums:
    case Accumulator::sketch:
      for (std::uint32_t cell = 0; cell < step.cells; ++cell) {
        merge_cell(step, bucket, record, cell, take_away);
      }
      break;
  }
}

/// True when the buckets of `leaving` decide the total of a maximum or a sketch, which then has to
/// be made anew from the rest. A sketch cannot tell who set a bit; a maximum mostly stays.
TIDEMARK_HD inline bool needs_recompute(const ShiftStep& step, const Ring& ring, AgeSet leaving,
                                        std::uint32_t position, unsigned char* record) {
  if (has_sketch(step.kind)) return leaving != 0;
  if (step.kind != Accumulator::greatest && step.kind != Accumulator::least) return false;
  const std::int64_t total = field_at<std::int64_t>(record, step.target_offset);
  bool decides = false;
  for_each_age(leaving, [&](int age) {
    const unsigned char* bucket = bucket_of(ring, record, position, age);
    decides = decides || field_at<std::int64_t>(bucket, step.bucket_offset) == total;
  });
  return decides && total != 0;
}

/// Empties the total of a maximum or a sketch.
TIDEMARK_HD inline void clear_total(const ShiftStep& step, unsigned char* record) {
  const std::uint32_t words = has_sketch(step.kind) ? step.cells : 1;
  for (std::uint32_t word = 0; word < words; ++word) {
    field_at<std::uint64_t>(record, step.target_offset + 8 * word) = 0;
  }
}

/// Brings the totals of one window up to date with a clock that moved by `steps` buckets.
TIDEMARK_HD inline void shift_group(const WindowPlanView& plan, const Ring& ring,
                                    const WindowGroup& group, const RingState& state,
                                    std::int64_t steps, unsigned char* record) {
  const AgeSet occupied = occupied_ages(ring, record);
  const AgeSet inside = ages_between(group.age_begin, group.age_end);
  const AgeSet inside_then = ages_before(inside, steps);
  const AgeSet leaving = occupied & inside & ~inside_then;
  const AgeSet entering = occupied & inside_then & ~inside;
  if ((leaving | entering) == 0) return;
  const ShiftStep* const begin = plan.shifts + group.step_begin;
  const ShiftStep* const end = plan.shifts + group.step_end;
  for_each_age(leaving, [&](int age) {
    const unsigned char* bucket = bucket_of(ring, record, state.position, age);
    for (const ShiftStep* step = begin; step != end; ++step) {
      merge_bucket(*step, bucket, record, true);
    }
  });
  for_each_age(entering, [&](int age) {
    const unsigned char* bucket = bucket_of(ring, record, state.position, age);
    for (const ShiftStep* step = begin; step != end; ++step) {
      merge_bucket(*step, bucket, record, false);
    }
  });
  if (!group.recompute) return;
  for (const ShiftStep* step = begin; step != end; ++step) {
    if (!needs_recompute(*step, ring, leaving, state.position, record)) continue;
    clear_total(*step, record);
    for_each_age(occupied & inside_then, [&](int age) {
      merge_bucket(*step, bucket_of(ring, record, state.position, age), record, false);
    });
  }
}

/// Moves a ring on by `steps` >= 1 buckets: totals, then the buckets that fall out are zeroed.
TIDEMARK_HD inline void shift_ring(const WindowPlanView& plan, const Ring& ring, std::int64_t steps,
                                   unsigned char* record) {
  RingState& state = field_at<RingState>(record, ring.state_offset);
  const AgeSet occupied = occupied_ages(ring, record);
  if (occupied != 0) {
    for (std::uint32_t g = ring.group_begin; g < ring.group_end; ++g) {
      shift_group(plan, ring, plan.groups[g], state, steps, record);
    }
    const AgeSet kept = ages_before(ages_below(ring.length), steps);
    for_each_age(occupied & ~kept, [&](int age) {
      unsigned char* bucket = bucket_of(ring, record, state.position, age);
      for (std::uint32_t at = 0; at < ring.bucket_bytes; at += 8) {
        field_at<std::uint64_t>(bucket, at) = 0;
      }
    });
    set_occupied_ages(ring, record, ages_after(occupied & kept, steps));
  }
  state.position = static_cast<std::uint32_t>((state.position + steps) % ring.length);
}

/// What is left of a decayed sum `age` buckets later.
TIDEMARK_HD inline std::int64_t decayed_by(const WindowPlanView& plan, const Decay& decay,
                                           std::int64_t value, std::int64_t age) {
  if (age <= 0) return value;
  if (age > decay.factor_count) return 0;
  const std::uint64_t factor = plan.factors[decay.factor_begin + age - 1];
  return static_cast<std::int64_t>((static_cast<Wide>(value) * factor) >> 63);
}

/// Moves the clock to max(clock, time_ms) and every ring with it. `day` is the local day of
/// time_ms.
TIDEMARK_HD inline void advance_record(const WindowPlanView& plan, unsigned char* record,
                                       std::int64_t time_ms, std::int32_t day) {
  RecordHead& head = field_at<RecordHead>(record, 0);
  if ((head.flags & record_started) == 0) {
    head.flags |= record_started;
    head.clock_ms = head.first_ms = time_ms;
    head.day = day;
    for (std::uint32_t r = 0; r < plan.ring_count; ++r) {
      const Ring& ring = plan.rings[r];
      const std::int64_t number = bucket_number(ring.tier, time_ms, day);
      field_at<RingState>(record, ring.state_offset).position =
          static_cast<std::uint32_t>(number - floor_div(number, ring.length) * ring.length);
    }
    return;
  }
  const std::int64_t clock_ms = time_ms > head.clock_ms ? time_ms : head.clock_ms;
  const std::int32_t clock_day = day > head.day ? day : head.day;
  if (clock_ms == head.clock_ms && clock_day == head.day) return;
  for (std::uint32_t r = 0; r < plan.ring_count; ++r) {
    const Ring& ring = plan.rings[r];
    if (ring.tier >= Tier::day && clock_day == head.day) continue;
    const std::int64_t steps = bucket_number(ring.tier, clock_ms, clock_day) -
                               bucket_number(ring.tier, head.clock_ms, head.day);
    if (steps > 0) shift_ring(plan, ring, steps, record);
  }
  for (std::uint32_t d = 0; d < plan.decay_count; ++d) {
    const Decay& decay = plan.decays[d];
    const std::int64_t steps = bucket_number(decay.tier, clock_ms, clock_day) -
                               bucket_number(decay.tier, head.clock_ms, head.day);
    std::int64_t& value = field_at<std::int64_t>(record, decay.target_offset);
    value = decayed_by(plan, decay, value, steps);
  }
  head.clock_ms = clock_ms;
  head.day = clock_day;
}

}  // namespace tidemark
