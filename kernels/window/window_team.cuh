// One record and the threads that work on it together: a warp, or a block where a key has many
// rows. What the host does step by step is spread over the team: steps of a plan never share a
// total or a cell of a bucket, so the order among them changes no bit. Device code only.
//
// Why a team and not a thread a key: neighbouring steps read neighbouring totals, so a record
// arrives in whole lines; a row of features is written in whole lines; and an event takes as many
// rounds as it has steps / 32, which is what a key with many rows waits for.
#pragma once

#include <cstdint>

#include "kernels/window/device_plan.hpp"
#include "kernels/window/event_body.hpp"
#include "kernels/window/read_body.hpp"
#include "kernels/window/row_body.hpp"

namespace tidemark {
namespace {

constexpr unsigned whole_warp = 0xffffffffu;

struct WarpTeam {
  static __device__ std::uint32_t rank() { return threadIdx.x % 32; }
  static __device__ std::uint32_t size() { return 32; }
  static __device__ void sync() { __syncwarp(); }
  static __device__ bool any(bool mine) { return __any_sync(whole_warp, mine) != 0; }
};

struct BlockTeam {
  static __device__ std::uint32_t rank() { return threadIdx.x; }
  static __device__ std::uint32_t size() { return blockDim.x; }
  static __device__ void sync() { __syncthreads(); }
  static __device__ bool any(bool mine) { return __syncthreads_or(mine) != 0; }
};

__device__ inline std::uint32_t warp_lane() {
  return threadIdx.x % 32;
}

/// The difference of the bucket numbers of two instants, in each lane for the tier of its number.
__device__ inline std::int64_t tier_distance(std::int64_t to_ms, std::int32_t to_day,
                                             std::int64_t from_ms, std::int32_t from_day) {
  if (warp_lane() >= tier_count) return 0;
  const Tier tier = static_cast<Tier>(warp_lane());
  return bucket_number(tier, to_ms, to_day) - bucket_number(tier, from_ms, from_day);
}

__device__ inline std::int64_t distance_of(std::int64_t distances, Tier tier) {
  return __shfl_sync(whole_warp, static_cast<long long>(distances), static_cast<int>(tier));
}

/// Calls visit(i) in all lanes of the warp for each i < count that wants(i) says. What wants reads
/// must not change until the team has synchronised.
template <typename Wants, typename Visit>
__device__ void for_each_wanted(std::uint32_t count, Wants wants, Visit visit) {
  for (std::uint32_t base = 0; base < count; base += 32) {
    const std::uint32_t mine = base + warp_lane();
    unsigned wanted = __ballot_sync(whole_warp, mine < count && wants(mine));
    for (; wanted != 0; wanted &= wanted - 1) {
      visit(base + static_cast<std::uint32_t>(__ffs(static_cast<int>(wanted)) - 1));
    }
  }
}

/// What a step of the clock does to a window.
struct GroupShift {
  AgeSet leaving, entering, kept;
};
__device__ inline GroupShift shift_of(const WindowGroup& group, AgeSet occupied,
                                      std::int64_t steps) {
  const AgeSet inside = ages_between(group.age_begin, group.age_end);
  const AgeSet inside_then = ages_before(inside, steps);
  return {occupied & inside & ~inside_then, occupied & inside_then & ~inside,
          occupied & inside_then};
}

/// One total, or one cell of it, after a step of the clock.
__device__ inline void shift_total(const ShiftStep& step, const Ring& ring, const GroupShift& shift,
                                   std::uint32_t position, std::uint32_t cell,
                                   unsigned char* record) {
  const bool cells = has_cells(step.kind);
  const auto merge = [&](AgeSet ages, bool take_away) {
    for_each_age(ages, [&](int age) {
      const unsigned char* bucket = bucket_of(ring, record, position, age);
      if (cells) {
        merge_cell(step, bucket, record, cell, take_away);
      } else {
        merge_bucket(step, bucket, record, take_away);
      }
    });
  };
  merge(shift.leaving, true);
  merge(shift.entering, false);
  if (!needs_recompute(step, ring, shift.leaving, position, record)) return;
  field_at<std::uint64_t>(record, step.target_offset + 8 * cell) = 0;
  merge(shift.kept, false);
}

/// See shift_ring; `steps` >= 1.
template <class Team>
__device__ void team_shift_ring(const WindowPlanView& plan, const Ring& ring, std::int64_t steps,
                                unsigned char* record) {
  RingState& state = field_at<RingState>(record, ring.state_offset);
  const AgeSet occupied = occupied_ages(ring, record);
  const std::uint32_t position = state.position;
  for_each_wanted(
      occupied == 0 ? 0 : ring.group_end - ring.group_begin,
      [&](std::uint32_t g) {
        const GroupShift shift = shift_of(plan.groups[ring.group_begin + g], occupied, steps);
        return (shift.leaving | shift.entering) != 0;
      },
      [&](std::uint32_t g) {
        const WindowGroup& group = plan.groups[ring.group_begin + g];
        const GroupShift shift = shift_of(group, occupied, steps);
        // A ring of cells has one accumulator, so all cells of a group are one step's.
        const std::uint32_t cells = plan.shifts[group.step_begin].cells;
        const std::uint32_t items = cells != 0 ? cells : group.step_end - group.step_begin;
        for (std::uint32_t i = Team::rank(); i < items; i += Team::size()) {
          const ShiftStep& step = plan.shifts[group.step_begin + (cells != 0 ? 0 : i)];
          shift_total(step, ring, shift, position, cells != 0 ? i : 0, record);
        }
      });
  Team::sync();
  const AgeSet kept = ages_before(ages_below(ring.length), steps);
  for_each_age(occupied & ~kept, [&](int age) {
    unsigned char* bucket = bucket_of(ring, record, position, age);
    for (std::uint32_t at = 8 * Team::rank(); at < ring.bucket_bytes; at += 8 * Team::size()) {
      field_at<std::uint64_t>(bucket, at) = 0;
    }
  });
  if (Team::rank() == 0) {
    set_occupied_ages(ring, record, ages_after(occupied & kept, steps));
    state.position = static_cast<std::uint32_t>((position + steps) % ring.length);
  }
}

/// Where the rings of an empty record stand at an instant.
template <class Team>
__device__ void team_place_rings(const WindowPlanView& plan, std::int64_t time_ms, std::int32_t day,
                                 unsigned char* record) {
  for (std::uint32_t r = Team::rank(); r < plan.ring_count; r += Team::size()) {
    const Ring& ring = plan.rings[r];
    const std::int64_t number = bucket_number(ring.tier, time_ms, day);
    field_at<RingState>(record, ring.state_offset).position =
        static_cast<std::uint32_t>(number - floor_div(number, ring.length) * ring.length);
  }
}

/// See advance_record. `head` is the team's copy, the same in every thread.
template <class Team>
__device__ void team_advance(const WindowPlanView& plan, unsigned char* record,
                             std::int64_t time_ms, std::int32_t day, RecordHead& head) {
  if ((head.flags & record_started) == 0) {
    head.flags |= record_started;
    head.clock_ms = head.first_ms = time_ms;
    head.day = day;
    team_place_rings<Team>(plan, time_ms, day, record);
    Team::sync();
    return;
  }
  const std::int64_t clock_ms = time_ms > head.clock_ms ? time_ms : head.clock_ms;
  const std::int32_t clock_day = day > head.day ? day : head.day;
  const std::int64_t distances = tier_distance(clock_ms, clock_day, head.clock_ms, head.day);
  head.clock_ms = clock_ms;
  head.day = clock_day;
  if (!__any_sync(whole_warp, distances > 0)) return;
  std::uint32_t moving = 0;  // tiers
  for (int tier = 0; tier < tier_count; ++tier) {
    moving |= (distance_of(distances, static_cast<Tier>(tier)) > 0 ? 1U : 0U) << tier;
  }
  for_each_wanted(
      plan.ring_count,
      [&](std::uint32_t r) { return (moving >> static_cast<int>(plan.rings[r].tier) & 1U) != 0; },
      [&](std::uint32_t r) {
        const Ring& ring = plan.rings[r];
        team_shift_ring<Team>(plan, ring, distance_of(distances, ring.tier), record);
      });
  for (std::uint32_t base = 0; base < plan.decay_count; base += Team::size()) {
    const std::uint32_t d = base + Team::rank();
    const bool mine = d < plan.decay_count;
    const Decay& decay = plan.decays[mine ? d : 0];
    const std::int64_t steps = distance_of(distances, decay.tier);
    if (!mine) continue;
    std::int64_t& value = field_at<std::int64_t>(record, decay.target_offset);
    value = decayed_by(plan, decay, value, steps);
  }
  Team::sync();
}

/// Notes in a ring's word of ages that the bucket of an event holds something, if a step takes it.
__device__ inline void mark_occupied(const WindowPlanView& plan, const RingUpdate& update,
                                     const WindowEvent& event, const EventPlace& place,
                                     std::uint8_t exponent, std::int64_t age,
                                     unsigned char* record) {
  const Ring& ring = plan.rings[update.ring];
  if (age >= ring.length) return;
  for (std::uint32_t s = update.step_begin; s < update.step_end; ++s) {
    if (!takes_event(plan, plan.updates[s].filter, event, place, exponent)) continue;
    occupied_word(ring, record, age >= 64) |= std::uint64_t{1} << (age % 64);
    return;
  }
}

/// See apply_event. Ends with the head written and the team synchronised.
template <class Team>
__device__ void team_apply(const DevicePlan& all, unsigned char* record, const WindowEvent& event,
                           const EventPlace& placed, RecordHead& head) {
  const WindowPlanView& plan = all.windows;
  EventPlace place = placed;
  find_issue(plan, record, event, place);
  team_advance<Team>(plan, record, event.time_ms, place.day, head);
  if (event.time_ms < head.first_ms) head.first_ms = event.time_ms;
  const std::int64_t ages = tier_distance(head.clock_ms, head.day, event.time_ms, place.day);
  const TypeUpdates updates = plan.types[static_cast<int>(event.type)];
  std::uint8_t flags = 0;
  for (std::uint32_t base = updates.ring_begin; base < updates.ring_end; base += Team::size()) {
    const std::uint32_t u = base + Team::rank();
    const bool mine = u < updates.ring_end;
    const RingUpdate& update = plan.ring_updates[mine ? u : base];
    const std::int64_t age = distance_of(ages, plan.rings[update.ring].tier);
    if (mine) mark_occupied(plan, update, event, place, head.exponent, age, record);
  }
  // The steps of a type stand one behind the other, whatever their rings.
  const bool any_ring = updates.ring_begin != updates.ring_end;
  const std::uint32_t begin = any_ring ? plan.ring_updates[updates.ring_begin].step_begin : 0;
  const std::uint32_t end = any_ring ? plan.ring_updates[updates.ring_end - 1].step_end : 0;
  for (std::uint32_t base = begin; base < end; base += Team::size()) {
    const std::uint32_t s = base + Team::rank();
    const bool mine = s < end;
    const Ring& ring = plan.rings[all.step_rings[mine ? s : base]];
    const std::int64_t age = distance_of(ages, ring.tier);
    if (!mine || age >= ring.length) continue;
    const UpdateStep& step = plan.updates[s];
    if (!takes_event(plan, step.filter, event, place, head.exponent)) continue;
    const std::uint32_t position = field_at<RingState>(record, ring.state_offset).position;
    const UpdateTarget at{record, bucket_of(ring, record, position, static_cast<int>(age)), age,
                          &flags};
    run_update_step(plan, step, at, event, place);
  }
  for (std::uint32_t s = updates.last_begin + Team::rank(); s < updates.last_end;
       s += Team::size()) {
    const LastStep& step = plan.lasts[s];
    if (!takes_event(plan, step.filter, event, place, head.exponent)) continue;
    std::uint64_t& last = field_at<std::uint64_t>(record, step.target_offset);
    const std::uint64_t time = ordered_time(event.time_ms);
    if (time > last) last = time;
  }
  for (std::uint32_t s = updates.decay_begin + Team::rank(); s < updates.decay_end;
       s += Team::size()) {
    const DecayStep& step = plan.decay_steps[s];
    if (!takes_event(plan, step.filter, event, place, head.exponent)) continue;
    add_decayed(plan, step, head, event, place, record, &flags);
  }
  for (std::uint32_t s = updates.tail_begin + Team::rank(); s < updates.tail_end;
       s += Team::size()) {
    const TailStep& step = plan.tail_steps[s];
    if (!takes_event(plan, step.filter, event, place, head.exponent)) continue;
    run_tail_step(plan, step, event, place, record, &flags);
  }
  if (plan.open_invoices != 0) {
    Team::sync();  // nobody looks for an issue any more
    if (Team::rank() == 0) file_invoice(plan, record, event, place, &flags);
    if (Team::any((flags & record_forgot) != 0)) head.flags |= record_forgot;
  }
  if (Team::any((flags & record_saturated) != 0)) head.flags |= record_saturated;
  if (Team::rank() == 0) field_at<RecordHead>(record, 0) = head;
  Team::sync();
}

/// See read_row. `numbers` belongs to the team.
template <class Team>
__device__ void team_read(const DevicePlan& all, const ReadSource& from, std::uint8_t exponent,
                          Fraction* numbers, float* out) {
  const WindowPlanView& plan = all.windows;
  for (std::uint32_t level = 0; level < all.level_count; ++level) {
    for (std::uint32_t s = all.levels[level] + Team::rank(); s < all.levels[level + 1];
         s += Team::size()) {
      const ReadStep& step = plan.reads[s];
      numbers[step.target] = run_read_step(plan, step, from, numbers);
    }
    Team::sync();
  }
  const double units = minor_units(exponent);
  for (std::uint32_t c = Team::rank(); c < plan.column_count; c += Team::size()) {
    out[plan.columns[c].column] = read_column(plan.columns[c], numbers, units);
  }
  Team::sync();
}

/// Notes the group of a profile, where the plan has tables. The team is synchronised before it is
/// read, at the end of the row's event.
template <class Team>
__device__ void team_set_group(const WindowPlanView& plan, unsigned char* record,
                               std::uint16_t group) {
  if (plan.group_offset == 0 || Team::rank() != 0) return;
  field_at<std::uint64_t>(record, plan.group_offset) = group;
}

/// The rings stand at the clock as before, with nothing in them. History goes on.
template <class Team>
__device__ void team_empty(const WindowPlanView& plan, unsigned char* record, RecordHead& head) {
  for (std::uint32_t at = sizeof(RecordHead) + 8 * Team::rank(); at < plan.record_bytes;
       at += 8 * Team::size()) {
    field_at<std::uint64_t>(record, at) = 0;
  }
  Team::sync();
  team_place_rings<Team>(plan, head.clock_ms, head.day, record);
  head.flags = record_started;
  Team::sync();
}

}  // namespace
}  // namespace tidemark
