// See lane.hpp.
#include "stream/pipeline/lane.hpp"

#include <xxhash.h>

#include <bit>

namespace tidemark {
namespace {

std::uint64_t mix(std::uint64_t seed, const void* bytes, std::size_t count) {
  return XXH3_64bits_withSeed(bytes, count, seed);
}

std::uint64_t mix(std::uint64_t seed, std::string_view text) {
  return mix(seed + 1, text.data(), text.size());
}

}  // namespace

void Lane::adopt_new_merchants() {
  const std::uint32_t before = static_cast<std::uint32_t>(decisions.size());
  const std::uint32_t size = table.size();
  if (size == before) return;
  decisions.resize(size);
  zones_.resize(size, default_zone_);
  merchants_.resize(size);
  changed_flag_.resize(size, 0);
  if (freezes_waiting.empty()) return;
  for (std::uint32_t slot = before; slot < size; ++slot) {
    const auto found = freezes_waiting.find(table.merchant_id(slot));
    if (found == freezes_waiting.end()) continue;
    decisions[slot].frozen = 1;
    freezes_waiting.erase(found);
  }
}

void Lane::adopt_profile(std::uint32_t slot, const EventBatch& rows, std::size_t row) {
  table.adopt_profile(slot, rows, row);
  find_zone_of(slot);
}

void Lane::find_zone_of(std::uint32_t slot) {
  const std::string& name = table.profile(slot).time_zone;
  const Zone* zone = name.empty() ? nullptr : find_zone(name);
  zones_[slot] = zone != nullptr ? zone : default_zone_;
}

std::uint64_t Lane::hash_of(std::uint32_t slot) const {
  return mix(table.hash(slot), &decisions[slot], sizeof(DecisionState));
}

std::uint64_t Lane::state_hash() {
  std::uint64_t hash = merchants_.value([this](std::uint32_t slot) {
    if (!changed_flag_[slot]) {
      changed_flag_[slot] = 1;
      changed_.push_back(slot);
    }
    return hash_of(slot);
  });
  if (payers) hash += payers->state_hash();
  const std::int64_t tick = tick_ms.value_or(no_time);
  hash = mix(hash, &tick, sizeof tick);
  hash += frozen ? 0x9e3779b97f4a7c15ULL : 0;
  for (const std::string& id : freezes_waiting) hash = mix(hash, id);
  for (const Overlay& overlay : overlays) {
    hash = mix(mix(hash, overlay.region), overlay.industry);
    const auto bits = std::bit_cast<std::uint64_t>(overlay.factor);
    hash = mix(hash, &bits, sizeof bits);
  }
  return hash;
}

double Lane::overlay_factor(const MerchantProfile& profile) const {
  double factor = 1;
  for (const Overlay& overlay : overlays) {
    const bool fits = (overlay.region.empty() || overlay.region == profile.region) &&
                      (overlay.industry.empty() || overlay.industry == profile.industry);
    if (fits) factor *= overlay.factor;
  }
  return factor;
}

}  // namespace tidemark
