// See id_table.hpp: look-up and insertion by linear probing over buckets.
#include "features/id_table.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace tidemark {
namespace {

constexpr std::uint64_t first_buckets = 1'024;

}  // namespace

void IdTable::Free::operator()(Bucket* buckets) const {
  std::free(buckets);
}

IdTable::Buckets IdTable::allocate(std::uint64_t count) {
  void* memory = std::aligned_alloc(alignof(Bucket), count * sizeof(Bucket));
  if (memory == nullptr) throw std::bad_alloc();
  Bucket* buckets = static_cast<Bucket*>(memory);
  std::uninitialized_fill_n(buckets, count, Bucket{});
  return Buckets(buckets);
}

// Two thirds full at most: chains stay within a bucket or two.
std::uint64_t IdTable::buckets_for(std::uint64_t events) {
  return std::max<std::uint64_t>(1, events / 2 + 1);
}

std::size_t IdTable::bytes_max(std::uint64_t events_max) {
  return 2 * buckets_for(events_max) * sizeof(Bucket);
}

IdTable::IdTable(std::uint64_t events_max) : events_max_(events_max) {
  set_size(std::min(first_buckets, buckets_for(events_max)));
}

void IdTable::set_size(std::uint64_t bucket_count) {
  buckets_ = allocate(bucket_count);
  bucket_count_ = bucket_count;
  size_ = 0;
  limit_ = std::min(events_max_, bucket_count * 2);
}

void IdTable::reserve(std::uint64_t events) {
  const std::uint64_t count = buckets_for(std::min(events, events_max_));
  if (size_ == 0 && count > bucket_count_) set_size(count);
}

std::int64_t* IdTable::find(std::uint64_t key) {
  std::uint64_t at = start(key);
  while (true) {
    Bucket& bucket = buckets_[at];
    for (std::uint32_t i = 0; i < bucket.count; ++i) {
      if (bucket.key[i] == key) return &bucket.time_ms[i];
    }
    if (bucket.count < bucket_slots) return nullptr;
    at = at + 1 == bucket_count_ ? 0 : at + 1;
  }
}

void IdTable::insert(std::uint64_t key, std::int64_t time_ms, std::uint32_t slot) {
  std::uint64_t at = start(key);
  while (buckets_[at].count == bucket_slots) at = at + 1 == bucket_count_ ? 0 : at + 1;
  Bucket& bucket = buckets_[at];
  bucket.key[bucket.count] = key;
  bucket.time_ms[bucket.count] = time_ms;
  bucket.slot[bucket.count] = slot;
  ++bucket.count;
  ++size_;
}

}  // namespace tidemark
