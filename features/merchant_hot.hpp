// What admission touches of a merchant: one cache line each, apart from the windows, so that a
// batch can be admitted while another is in its windows. Also the index from id to slot. One
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "kernels/data/event_batch.hpp"

namespace tidemark {

/// The admission's side of a merchant's state. `zone` is a number of this process.
struct alignas(64) MerchantHot {
  static constexpr std::size_t inline_id_bytes = 28;
  std::int64_t clock_ms = 0;
  std::uint64_t accepted_digest = 0;  // sum over accepted events of a hash of id, source and time
  std::int32_t day = 0;               // largest local day applied, as in RecordHead
  CurrencyCode first_currency = 0;
  CurrencyCode profile_currency = 0;
  std::uint16_t zone = 0;
  bool started = false;
  std::uint8_t unused = 0;
  std::uint32_t id_bytes = 0;
  char id[inline_id_bytes] = {};  // the id, or a pointer to it when it is longer

  std::string_view id_view() const {
    if (id_bytes <= inline_id_bytes) return {id, id_bytes};
    const char* text = nullptr;
    std::memcpy(&text, id, sizeof(text));
    return {text, id_bytes};
  }
  CurrencyCode currency() const {
    return profile_currency != 0 ? profile_currency : first_currency;
  }
};
static_assert(sizeof(MerchantHot) == 64);

/// Hash to slot by open addressing; several slots may share a hash, the caller compares ids.
class MerchantIndex {
 public:
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t slot = no_slot;
    std::uint32_t unused = 0;
  };

  MerchantIndex() : entries_(1'024) {}
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&entries_[hash & mask()]); }

  /// Calls accept(slot) for each slot with that hash until it returns true; that slot or no_slot.
  template <typename Accept>
  std::uint32_t find(std::uint64_t hash, Accept accept) const {
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Entry& entry = entries_[at];
      if (entry.slot == no_slot) return no_slot;
      if (entry.hash == hash && accept(entry.slot)) return entry.slot;
    }
  }

  void insert(std::uint64_t hash, std::uint32_t slot) {
    if ((size_ + 1) * 2 > entries_.size()) grow();
    place(hash, slot);
    ++size_;
  }
  std::size_t bytes() const { return entries_.size() * sizeof(Entry); }

 private:
  std::size_t mask() const { return entries_.size() - 1; }
  void place(std::uint64_t hash, std::uint32_t slot) {
    std::size_t at = hash & mask();
    while (entries_[at].slot != no_slot) at = (at + 1) & mask();
    entries_[at] = {hash, slot, 0};
  }
  void grow() {
    std::vector<Entry> old(entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.slot != no_slot) place(entry.hash, entry.slot);
    }
  }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
};

/// Beside the record: the hot line, an index entry at its emptiest (load 1/4), a profile pointer.
inline constexpr std::size_t merchant_overhead_bytes =
    sizeof(MerchantHot) + 4 * sizeof(MerchantIndex::Entry) + sizeof(void*);

}  // namespace tidemark
