// From a key's hash to its slot. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/data/event_batch.hpp"

namespace tidemark {

/// Hash to slot by open addressing; several slots may share a hash, the caller compares ids.
class SlotIndex {
 public:
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t slot = no_slot;
    std::uint32_t unused = 0;
  };

  SlotIndex() : entries_(1'024) {}
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

}  // namespace tidemark
