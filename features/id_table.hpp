// The event ids of one partition within the duplicate horizon, with a stated capacity. One thread.
// Open addressing in buckets of one cache line. Expired ids are dropped only when the table would
// grow or is full, which no outcome can tell: an expired id is never a duplicate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tidemark {

class IdTable {
 public:
  explicit IdTable(std::uint64_t events_max);

  /// Brings the bucket of `key` into the cache.
  void prefetch(std::uint64_t key) const { __builtin_prefetch(&buckets_[start(key)]); }
  /// Time of the latest accepted event with that key, or nullptr. Valid until the next insert.
  std::int64_t* find(std::uint64_t key);
  /// Adds a key that find() did not find; `has_room()` must be true.
  void insert(std::uint64_t key, std::int64_t time_ms, std::uint32_t slot);

  /// Makes an empty table large enough for so many ids, as far as the capacity goes: ids that come
  /// in the order of their keys would crowd at the front of a table that grows under them.
  void reserve(std::uint64_t events);

  bool has_room() const { return size_ < limit_; }
  /// Makes room: drops what `is_live(slot, time_ms)` denies, and grows while the capacity allows.
  /// `prefetch_owner(slot)` runs some entries ahead of it. Returns false when the table stays full.
  template <typename Prefetch, typename IsLive>
  bool make_room(Prefetch prefetch_owner, IsLive is_live);

  /// Calls visit(key, time_ms, slot) for every id held.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::uint64_t b = 0; b < bucket_count_; ++b) {
      const Bucket& bucket = buckets_[b];
      for (std::uint32_t i = 0; i < bucket.count; ++i) {
        visit(bucket.key[i], bucket.time_ms[i], bucket.slot[i]);
      }
    }
  }

  std::uint64_t size() const { return size_; }
  std::size_t bytes() const { return bucket_count_ * sizeof(Bucket); }
  /// Bytes at full size: two tables stand side by side during a clean-up.
  static std::size_t bytes_max(std::uint64_t events_max);

 private:
  static constexpr std::uint32_t bucket_slots = 3;
  struct alignas(64) Bucket {
    std::uint64_t key[bucket_slots];
    std::int64_t time_ms[bucket_slots];
    std::uint32_t slot[bucket_slots];
    std::uint32_t count;
  };
  static_assert(sizeof(Bucket) == 64);
  struct Free {
    void operator()(Bucket* buckets) const;
  };
  using Buckets = std::unique_ptr<Bucket[], Free>;

  static Buckets allocate(std::uint64_t count);
  static std::uint64_t buckets_for(std::uint64_t events);
  // Scales the key to the number of buckets, which need not be a power of two.
  std::uint64_t start(std::uint64_t key) const {
    __extension__ typedef unsigned __int128 Product;
    return static_cast<std::uint64_t>((static_cast<Product>(key) * bucket_count_) >> 64);
  }
  void set_size(std::uint64_t bucket_count);

  std::uint64_t events_max_ = 0;
  std::uint64_t bucket_count_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t limit_ = 0;
  Buckets buckets_;
};

template <typename Prefetch, typename IsLive>
bool IdTable::make_room(Prefetch prefetch_owner, IsLive is_live) {
  constexpr std::uint64_t sample_buckets = 512, ahead = 8;
  std::uint64_t live = 0, seen = 0;
  for (std::uint64_t b = 0; b < bucket_count_ && b < sample_buckets; ++b) {
    for (std::uint32_t i = 0; i < buckets_[b].count; ++i, ++seen) {
      live += is_live(buckets_[b].slot[i], buckets_[b].time_ms[i]) ? 1 : 0;
    }
  }
  const Buckets old = std::move(buckets_);
  const std::uint64_t old_count = bucket_count_;
  const std::uint64_t most = buckets_for(events_max_);
  const bool grow = live * 2 >= seen && old_count < most;  // also when nothing was seen
  set_size(grow ? (old_count * 2 < most ? old_count * 2 : most) : old_count);
  for (std::uint64_t b = 0; b < old_count; ++b) {
    for (std::uint32_t i = 0; b + ahead < old_count && i < old[b + ahead].count; ++i) {
      prefetch_owner(old[b + ahead].slot[i]);
      __builtin_prefetch(&buckets_[start(old[b + ahead].key[i])], 1);
    }
    for (std::uint32_t i = 0; i < old[b].count; ++i) {
      if (is_live(old[b].slot[i], old[b].time_ms[i])) {
        insert(old[b].key[i], old[b].time_ms[i], old[b].slot[i]);
      }
    }
  }
  // A sample that misjudged the whole: full again, though the capacity is not used up.
  return has_room() || (bucket_count_ < most && make_room(prefetch_owner, is_live));
}

}  // namespace tidemark
