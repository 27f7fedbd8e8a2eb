// See lane_snapshot.hpp.
#include "stream/pipeline/lane_snapshot.hpp"

#include <utility>

#include "stream/pipeline/lane.hpp"

namespace tidemark {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{8} << 20;

}  // namespace

void LaneSnapshot::begin(const Lane& lane, std::vector<std::uint32_t> slots, Give give) {
  drop();
  slots_ = std::move(slots);
  give_ = std::move(give);
  next_ = 0;
  left_ = slots_.size();
  place_.resize(lane.table.size(), 0);
  heads_.resize(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    place_[slots_[i]] = static_cast<std::uint32_t>(i) + 1;
    heads_[i] = {lane.table.hot(slots_[i]), lane.decisions[slots_[i]]};
  }
}

void LaneSnapshot::take(const Lane& lane, std::uint32_t slot) {
  const Head& head = heads_[std::exchange(place_[slot], 0) - 1];
  entry_.clear();
  lane.table.save(slot, head.hot, entry_);
  Lane::save_decisions(head.decisions, entry_);
  write_entry(MerchantEntry{slot, head.hot.clock_ms, entry_.view()}, chunk_);
  taken_bytes_ += entry_.size();
  ++entries_;
  --left_;
  if (chunk_.size() >= chunk_bytes) give_chunk();
}

bool LaneSnapshot::advance(const Lane& lane, std::size_t bytes) {
  for (taken_bytes_ = 0; left_ > 0 && taken_bytes_ < bytes; ++next_) {
    if (place_[slots_[next_]] != 0) take(lane, slots_[next_]);
  }
  if (left_ > 0) return false;
  if (entries_ > 0) give_chunk();
  drop();
  return true;
}

void LaneSnapshot::give_chunk() {
  give_(chunk_.take(), std::exchange(entries_, 0));
}

void LaneSnapshot::drop() {
  for (std::size_t i = next_; left_ > 0 && i < slots_.size(); ++i) place_[slots_[i]] = 0;
  slots_.clear();
  heads_ = {};
  left_ = 0;
  entries_ = 0;
  chunk_.clear();
  give_ = nullptr;
}

}  // namespace tidemark
