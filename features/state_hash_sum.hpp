// The hash of many records that change a few at a time: the sum of their hashes, which does not
// depend on the order of the records. Owned by a table or a lane; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace tidemark {

class StateHashSum {
 public:
  /// Records [0, count) are known from here on.
  void resize(std::size_t count) {
    is_touched_.resize(count, 0);
    hashes_.resize(count, 0);
  }
  /// Records with these hashes, and no others, none of them touched.
  void begin_with(std::vector<std::uint64_t> hashes) {
    hashes_ = std::move(hashes);
    sum_ = std::accumulate(hashes_.begin(), hashes_.end(), std::uint64_t{0});
    touched_.clear();
    is_touched_.assign(hashes_.size(), 0);
  }
  /// The record is about to change: its hash is stale.
  void touch(std::uint32_t record) {
    if (is_touched_[record] != 0) return;
    is_touched_[record] = 1;
    touched_.push_back(record);
  }
  /// The sum, after one call of hash_of(record) for each that was touched since the last.
  template <typename HashOf>
  std::uint64_t value(HashOf hash_of) {
    for (const std::uint32_t record : touched_) {
      const std::uint64_t now = hash_of(record);
      sum_ += now - hashes_[record];
      hashes_[record] = now;
      is_touched_[record] = 0;
    }
    touched_.clear();
    return sum_;
  }

 private:
  std::vector<std::uint32_t> touched_;
  std::vector<std::uint8_t> is_touched_;
  std::vector<std::uint64_t> hashes_;
  std::uint64_t sum_ = 0;
};

}  // namespace tidemark
