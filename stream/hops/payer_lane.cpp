// See payer_lane.hpp.
#include "stream/hops/payer_lane.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{8} << 20;

/// The finaliser of MurmurHash3: every bit of the result hangs on every bit of the number.
std::uint64_t mixed(std::uint64_t bits) {
  bits = (bits ^ bits >> 33) * 0xff51afd7ed558ccdULL;
  bits = (bits ^ bits >> 33) * 0xc4ceb9fe1a85ec53ULL;
  return bits ^ bits >> 33;
}

/// One event of one payer at one merchant.
std::uint64_t key_of(const EventBatch& rows, std::size_t row) {
  return mixed(rows.event_id_hash[row] +
               mixed(rows.merchant_hash[row] + mixed(rows.payer_hash[row])));
}

}  // namespace

PayerEvents::PayerEvents(const Config& config)
    : events_max_(config.dedup_events_max),
      horizon_ms_(config.dedup_horizon_ms),
      ids_(config.dedup_events_max) {}

bool PayerEvents::take(const EventBatch& rows, std::size_t row, std::uint32_t slot) {
  const std::uint64_t key = key_of(rows, row);
  const std::int64_t time_ms = rows.event_time_ms[row];
  if (slot == clock_ms_.size()) clock_ms_.push_back(time_ms);  // slots come in order
  std::int64_t* const known_ms = ids_.find(key);
  if (known_ms != nullptr && is_live(slot, *known_ms)) return false;
  clock_ms_[slot] = std::max(clock_ms_[slot], time_ms);
  if (!is_live(slot, time_ms)) return true;  // it could never be found again
  if (known_ms != nullptr) {
    *known_ms = std::max(*known_ms, time_ms);
  } else {
    insert({key, time_ms, slot});
  }
  if (lists_) listed_.push_back({key, time_ms, slot});
  return true;
}

void PayerEvents::insert(const IdEntry& id) {
  const auto live = [this](std::uint32_t owner, std::int64_t at_ms) {
    return is_live(owner, at_ms);
  };
  if (!ids_.has_room() && !ids_.make_room([](std::uint32_t) {}, live)) {
    throw RunError(fmt::format(
        "the table of payers' event ids is full: capacity.dedup_events_max is {} per partition and "
        "as many ids are within the duplicate horizon; raise it or shorten the horizon",
        events_max_));
  }
  ids_.insert(id.key, id.time_ms, id.slot);
}

std::vector<IdEntry> PayerEvents::live_ids() const {
  std::vector<IdEntry> live;
  ids_.for_each([&](std::uint64_t key, std::int64_t time_ms, std::uint32_t slot) {
    if (is_live(slot, time_ms)) live.push_back({key, time_ms, slot});
  });
  return live;
}

void PayerEvents::begin_restore(std::uint32_t payers, std::uint64_t ids) {
  clock_ms_.resize(payers);
  ids_.reserve(ids);
}

void PayerEvents::restore_id(const IdEntry& id) {
  require_bytes(id.slot < clock_ms_.size(), "has an id of no payer");
  if (!is_live(id.slot, id.time_ms)) return;
  std::int64_t* const known_ms = ids_.find(id.key);
  if (known_ms == nullptr) return insert(id);
  *known_ms = std::max(*known_ms, id.time_ms);
}

PayerLane::PayerLane(const std::shared_ptr<const FeaturePlan>& plan, const Config& config)
    : columns_(plan->names().size()),
      table_(plan, PayerTableOptions{config.payers_max, config.zone}),
      events_(config) {}

void PayerLane::take(EventBatch& rows, Segmenter& segmenter, ThreadPool& pool) {
  std::uint32_t read = 0;
  matrix_row_.assign(rows.rows(), UINT32_MAX);
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    if (rows.outcome[row] != Outcome::pending || rows.payer_hash[row] == 0) continue;
    const std::uint32_t slot = table_.slot_of(rows.payer_hash[row]);
    rows.outcome[row] = events_.take(rows, row, slot) ? Outcome::scored : Outcome::duplicate;
    if (remembers_) mark_changed(slot);
    matrix_row_[row] = read++;
  }
  matrix_.resize(read, columns_);
  table_.apply(rows, matrix_row_, matrix_, segmenter, pool);
}

std::span<const float> PayerLane::features(std::size_t row) const {
  if (matrix_row_[row] == UINT32_MAX) return {};
  return matrix_.row(matrix_row_[row]);
}

void PayerLane::mark_changed(std::uint32_t slot) {
  if (slot >= changed_flag_.size()) changed_flag_.resize(slot + 1, 0);
  if (std::exchange(changed_flag_[slot], 1) == 0) changed_.push_back(slot);
}

void PayerLane::remember_changes() {
  remembers_ = true;
  events_.list_ids();
}

void PayerLane::save_changes(bool whole, const Give& give) {
  if (whole) {
    changed_.resize(payers());
    std::iota(changed_.begin(), changed_.end(), 0U);
  }
  const std::vector<IdEntry> listed = events_.take_listed();
  const std::vector<IdEntry> ids = whole ? events_.live_ids() : listed;
  ByteWriter chunk, entry;
  std::size_t count = 0;
  const auto close_chunk = [&](ChunkKind kind) {
    if (count > 0) give(kind, chunk.take(), std::exchange(count, 0));
  };
  for (const std::uint32_t slot : changed_) {
    entry.clear();
    entry.fixed(events_.clock_ms(slot));
    table_.save(slot, entry);
    write_entry(MerchantEntry{slot, events_.clock_ms(slot), entry.view()}, chunk);
    ++count;
    if (chunk.size() >= chunk_bytes) close_chunk(ChunkKind::merchants);
  }
  close_chunk(ChunkKind::merchants);
  for (const IdEntry& id : ids) {
    write_entry(id, chunk);
    ++count;
    if (chunk.size() >= chunk_bytes) close_chunk(ChunkKind::ids);
  }
  close_chunk(ChunkKind::ids);
  changed_.clear();
  changed_flag_.assign(payers(), 0);
}

void PayerLane::begin_restore(std::uint32_t payers, std::uint64_t ids) {
  table_.begin_restore(payers);
  events_.begin_restore(payers, ids);
}

void PayerLane::restore_payer(std::uint32_t slot, ByteReader& from) {
  events_.restore_clock(slot, from.fixed<std::int64_t>());
  table_.restore(slot, from);
  require_bytes(from.at_end(), "bytes behind the end");
}

}  // namespace tidemark
