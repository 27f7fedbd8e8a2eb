// How many of a partition's last records were dead letters, counted record by record, so that it
// does not depend on batches. Part of the lane, so that a restart knows what was before it: a
// supervisor that starts a stopped engine again and again must not drain a broken topic.
#pragma once

#include <cstdint>
#include <deque>

namespace tidemark {

class DeadLetterWindow {
 public:
  /// Looks at the last `records` records.
  explicit DeadLetterWindow(std::uint64_t records) : records_(records) {}

  /// Counts the partition's next record.
  void add(bool dead) {
    ++seen_;
    if (dead) dead_.push_back(seen_);
    while (!dead_.empty() && dead_.front() + records_ <= seen_) dead_.pop_front();
  }
  /// Dead letters among the last records.
  std::uint64_t count() const { return dead_.size(); }
  std::uint64_t records() const { return records_; }

  /// For checkpoints: each dead letter as the number of records that came after it, oldest first.
  template <typename Visit>
  void each_age(Visit visit) const {
    for (const std::uint64_t at : dead_) visit(seen_ - at);
  }
  /// The other way, oldest first; for a window that has seen nothing.
  void restore_age(std::uint64_t age) {
    if (age >= records_) return;
    seen_ = records_;
    dead_.push_back(records_ - age);
  }

 private:
  std::uint64_t records_;
  std::uint64_t seen_ = 0;
  std::deque<std::uint64_t> dead_;
};

}  // namespace tidemark
