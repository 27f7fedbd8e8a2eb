// A lane as bytes, and back: what a checkpoint holds of a partition beside its event ids.
#include <numeric>
#include <utility>

#include "stream/pipeline/lane.hpp"

namespace tidemark {
namespace {

constexpr std::size_t hash_grain = 1024;  // merchants

/// Every number of the counts, in one order.
template <typename Counts, typename Visit>
void each_count(Counts& counts, Visit visit) {
  for (auto& of_source : counts) {
    for (auto* count : {&of_source.consumed, &of_source.scored, &of_source.applied,
                        &of_source.dead_lettered, &of_source.late, &of_source.duplicate}) {
      visit(*count);
    }
  }
}

}  // namespace

void Lane::begin_snapshot(LaneSnapshot::Give give) {
  for (const std::uint32_t slot : changed_) changed_flag_[slot] = 0;
  snapshot_.begin(*this, std::exchange(changed_, {}), std::move(give));
}

void Lane::forget_snapshots() {
  snapshot_.drop();
  changed_.resize(table.size());
  std::iota(changed_.begin(), changed_.end(), 0U);
  changed_flag_.assign(table.size(), 1);
}

void Lane::save_rest(ByteWriter& out) const {
  out.byte(tick_ms ? 1 : 0);
  out.signed_number(tick_ms.value_or(0));
  out.byte(frozen ? 1 : 0);
  out.number(freezes_waiting.size());
  for (const std::string& id : freezes_waiting) out.text(id);
  out.number(overlays.size());
  for (const Overlay& overlay : overlays) {
    out.text(overlay.region);
    out.text(overlay.industry);
    out.fixed(overlay.factor);
  }
  each_count(counts, [&](const std::uint64_t& count) { out.number(count); });
  for (const std::int64_t time : merge.taken_times_ms()) out.fixed(time);
  out.number(dead_letters.count());
  dead_letters.each_age([&](std::uint64_t records) { out.number(records); });
}

void Lane::restore_rest(ByteReader& from) {
  const bool has_tick = from.number_to(1, "a flag is neither 0 nor 1") == 1;
  const std::int64_t tick = from.signed_number();
  if (has_tick) tick_ms = tick;
  frozen = from.number_to(1, "a flag is neither 0 nor 1") == 1;
  for (std::uint64_t left = from.number(); left > 0; --left) {
    freezes_waiting.emplace(from.text());
  }
  for (std::uint64_t left = from.number(); left > 0; --left) {
    Overlay overlay;
    overlay.region = from.text();
    overlay.industry = from.text();
    overlay.factor = from.fixed<double>();
    overlays.insert(std::move(overlay));
  }
  each_count(counts, [&](std::uint64_t& count) { count = from.number(); });
  std::array<std::int64_t, source_count> times;
  for (std::int64_t& time : times) time = from.fixed<std::int64_t>();
  merge.resume(times);
  for (std::uint64_t left = from.number(); left > 0; --left)
    dead_letters.restore_age(from.number());
  require_bytes(from.at_end(), "bytes behind the end");
}

void Lane::save_decisions(const DecisionState& state, ByteWriter& out) {
  out.fixed(state);
}

void Lane::begin_restore(std::uint32_t size, std::uint64_t ids) {
  table.begin_restore(size, ids);
  adopt_new_merchants();
}

void Lane::restore_merchant(std::uint32_t slot, ByteReader& from) {
  table.restore(slot, from);
  decisions[slot] = from.fixed<DecisionState>();
  require_bytes(from.at_end(), "bytes behind the end");
  find_zone_of(slot);
}

void Lane::end_restore(ThreadPool& pool) {
  table.end_restore();
  std::vector<std::uint64_t> hashes(table.size());
  pool.parallel_for(hashes.size(), hash_grain, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t slot = begin; slot < end; ++slot) {
      hashes[slot] = hash_of(static_cast<std::uint32_t>(slot));
    }
  });
  merchants_.begin_with(std::move(hashes));
}

}  // namespace tidemark
