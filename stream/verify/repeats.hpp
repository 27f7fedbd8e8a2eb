// Repeats: outputs that were published again with the same bytes, as delivery at least once does
// after a crash. It remembers a bounded stretch, which is far longer than what a crash cuts off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_set>

namespace tidemark {

class Repeats {
 public:
  /// True when an output with this hash was seen among the last ones.
  bool is_repeat(std::uint64_t hash) {
    if (!known_.insert(hash).second) {
      ++count_;
      return true;
    }
    order_.push_back(hash);
    if (order_.size() > remembered_max) {
      known_.erase(order_.front());
      order_.pop_front();
    }
    return false;
  }
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::size_t remembered_max = 1'000'000;
  std::unordered_set<std::uint64_t> known_;
  std::deque<std::uint64_t> order_;
  std::uint64_t count_ = 0;
};

}  // namespace tidemark
