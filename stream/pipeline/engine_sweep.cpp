// What happens to merchants without an event of their own: sweeps at ticks, and control events.
#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/base/civil_time.hpp"
#include "stream/pipeline/engine.hpp"
#include "stream/pipeline/engine_scratch.hpp"

namespace tidemark {
namespace {

constexpr std::size_t sweep_chunk = 4096;  // merchants read out at a time
// Sixteen months: two more than the longest ring.
constexpr std::int64_t longest_gap_ms = 16 * 31 * ms_per_day;

}  // namespace

void Engine::pass_tick(Lane& lane, const SourceMerge::Crossing& cause, const EngineOutput& out) {
  const std::int64_t interval = config_.sweep_interval_ms;
  const std::int64_t newest = floor_div(cause.event_time_ms, interval) * interval;
  if (!lane.tick_ms) {  // the first event of a lane only sets the tick
    lane.tick_ms = newest;
    return;
  }
  // Windows move without events, so no tick of a gap is left out: what a merchant's sweeps say must
  // not depend on who shares its partition. Beyond the longest window nothing is left to move.
  std::int64_t tick = std::max(*lane.tick_ms + interval, newest - longest_gap_ms);
  tick = floor_div(tick, interval) * interval;
  for (; tick <= newest; tick += interval) {
    lane.tick_ms = tick;
    lane.journal.ticks.push_back({lane.journal_rows, tick});
    std::vector<std::uint32_t>& slots = scratch_->slots;
    slots.resize(lane.table.size());
    std::iota(slots.begin(), slots.end(), 0U);
    sweep(lane, slots, tick, cause, out);
  }
}

void Engine::sweep(Lane& lane, std::span<const std::uint32_t> slots, std::int64_t at_ms,
                   const SourceMerge::Crossing& cause, const EngineOutput& out) {
  if (!release_.policy) return;
  Scratch& s = *scratch_;
  for (std::size_t first = 0; first < slots.size(); first += sweep_chunk) {
    const auto chunk = slots.subspan(first, std::min(sweep_chunk, slots.size() - first));
    s.matrix.resize(chunk.size(), release_.plan->names().size());
    pool_.parallel_for(chunk.size(), 256, [&](std::size_t begin, std::size_t end, int) {
      for (std::size_t i = begin; i < end; ++i) {
        lane.table.read_out(chunk[i], at_ms, s.matrix.row(i));
      }
    });
    score(chunk.size(), false);
    s.changed.assign(chunk.size(), 0);
    pool_.parallel_for(chunk.size(), 256, [&](std::size_t begin, std::size_t end, int worker) {
      for (std::size_t i = begin; i < end; ++i) {
        const std::int64_t now = std::max(at_ms, lane.decisions[chunk[i]].clock_ms);
        Evaluation at{chunk[i], static_cast<std::uint32_t>(i), now, at_ms,
                      lane.table.currency(chunk[i])};
        s.changed[i] = evaluate(lane, at, std::as_const(s.matrix).row(i), s.credit[i], worker);
      }
    });
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      if (s.changed[i]) lane.touch(chunk[i]);
    }
    s.collect_rare_decisions();
    if (!out.records || (s.decisions.limits.empty() && s.decisions.alerts.empty())) continue;
    OutputBatch& batch = out.records->emplace_back();
    DecisionContext at;
    at.source = cause.source;
    at.partition = cause.partition;
    at.offset = cause.offset;
    for (const LimitDecision& limit : s.decisions.limits) {
      at.merchant_id = lane.table.merchant_id(limit.slot);
      release_.encoder->limit(at, limit, batch);
    }
    for (const AlertDecision& alert : s.decisions.alerts) {
      at.merchant_id = lane.table.merchant_id(alert.slot);
      release_.encoder->alert(at, alert, batch);
    }
  }
}

void Engine::control(Lane& lane, EventBatch& rows, const EngineOutput& out) {
  const bool readable = rows.outcome[0] == Outcome::pending;
  if (readable) {
    rows.outcome[0] = Outcome::applied;
    const Profile& order = rows.profiles[static_cast<std::size_t>(rows.profile_index[0])];
    switch (rows.type[0]) {
      case EventType::freeze:
      case EventType::unfreeze:
        set_freeze(lane, order, rows.type[0] == EventType::freeze);
        break;
      case EventType::overlay:
        set_overlay(lane, order);
        break;
      default:
        rows.outcome[0] = Outcome::dead_lettered;
        rows.error[0] = RowError::unsupported_control;
        rows.error_message[0] =
            "type: this engine holds one release from its start to its end; "
            "change the bundle in the configuration";
    }
  }
  account(lane, rows);
  if (rows.outcome[0] == Outcome::dead_lettered) {
    // Every lane reads every control record; one of them publishes what is wrong with it.
    if (out.records && lane.partition() == 0) {
      encode_dead_letter(rows, 0, out.records->emplace_back());
    }
    return;
  }
  // An order takes effect at once, not at the merchant's next event (rule R24).
  const Profile& order = rows.profiles[static_cast<std::size_t>(rows.profile_index[0])];
  std::vector<std::uint32_t>& slots = scratch_->slots;
  if (order.scope_merchant_id.empty()) {
    slots.resize(lane.table.size());
    std::iota(slots.begin(), slots.end(), 0U);
  } else {
    const std::uint32_t slot = lane.table.find(order.scope_merchant_id);
    slots.assign(slot == no_slot ? 0 : 1, slot);
  }
  const SourceMerge::Crossing cause{rows.event_time_ms[0], rows.source[0], rows.partition[0],
                                    rows.offset[0]};
  sweep(lane, slots, cause.event_time_ms, cause, out);
}

void Engine::set_freeze(Lane& lane, const Profile& order, bool frozen) {
  if (order.scope_merchant_id.empty()) {
    lane.frozen = frozen;
    return;
  }
  const std::uint32_t slot = lane.table.find(order.scope_merchant_id);
  if (slot != no_slot) {
    lane.decisions[slot].frozen = frozen ? 1 : 0;
    lane.touch(slot);
  } else if (frozen) {
    lane.freezes_waiting.insert(order.scope_merchant_id);
  } else {
    lane.freezes_waiting.erase(order.scope_merchant_id);
  }
}

void Engine::set_overlay(Lane& lane, const Profile& order) {
  const Overlay overlay{order.overlay_region, order.overlay_industry, order.overlay_factor};
  lane.overlays.erase(overlay);
  // A factor of 1 ends the overlay of that region and industry.
  if (overlay.factor != 1.0) lane.overlays.insert(overlay);
}

}  // namespace tidemark
