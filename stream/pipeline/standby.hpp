// Standby: lanes of partitions that other instances own, kept warm, so that a takeover repeats the
// last transactions instead of restoring a checkpoint. A thread of its own restores each from the
// newest checkpoint and goes on behind the journal as it grows, as a recovery would. It only reads:
// what it cannot follow it gives up with a line in the log, and that partition's takeover is an
// ordinary recovery.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernels/runtime/background.hpp"
#include "kernels/runtime/thread_pool.hpp"
#include "stream/checkpoint/store.hpp"
#include "stream/pipeline/lane_repeater.hpp"

namespace tidemark {

class Standby {
 public:
  /// `partitions`: of the inputs.
  Standby(const Config& config, int partitions);
  ~Standby();

  /// Follows these partitions and no others, lower numbers first where memory is short. Lanes that
  /// were kept and are not among them are dropped.
  void follow(const std::set<int>& partitions);
  /// Gives the lane of a partition, which is followed no longer: where it has come to, a checkpoint
  /// only where it still stands there. Nothing where there is none.
  std::optional<Recovered> take(int partition);
  /// Keeps a lane that this instance gives up, as it is, until the next take() or follow().
  void keep(Recovered lane);

  struct Status {
    std::uint64_t lag_transactions = 0;  // in the journal and not repeated yet, about
    std::size_t bytes = 0;
  };
  /// Of the lanes that are followed. Call about once a second: what was given up is looked at
  /// again.
  std::map<int, Status> status();
  std::uint64_t given_up() const { return given_up_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  /// Of a partition. The thread alone uses it while it is busy with it.
  struct Course {
    std::unique_ptr<LaneRepeater> lane;
    std::unique_ptr<PlainReader> journal;
    std::shared_ptr<const RawBatch> batch;
    std::size_t next = 0;  // of the batch
    bool announced = false;
    Time due, in_time;      // when to begin; when it was at the end of the journal
    std::size_t needs = 0;  // bytes, where room for them was missing
    Status status;
  };
  bool work(Background::Lock& lock);
  std::map<int, Course>::iterator choose();
  std::size_t room_beside(int partition) const;
  bool advance(int partition, Course& course, std::size_t room, int wait_ms);
  void begin(int partition, Course& course, std::size_t room);
  void repeat_batch(int partition, Course& course);
  void look(int partition, Course& course, std::size_t room);
  std::size_t bytes_of(std::uint64_t merchants, std::uint64_t ids) const;
  void release(Background::Lock& lock, int partition);

  const Config& config_;
  const std::string& journal_topic_;
  ThreadPool pool_;
  ReleaseSet releases_;
  Intake intake_;
  ReaderClient client_;
  std::unique_ptr<CheckpointStore> store_;
  const RepeatTools tools_;
  std::atomic<bool> ends_{false};
  std::atomic<int> wanted_;  // by a take(): the thread lets go of it
  std::atomic<std::uint64_t> given_up_{0};
  std::map<int, Recovered> kept_;  // of the owner's thread
  // Under the lock of the thread.
  std::map<int, Course> courses_;
  int busy_;           // the partition that the thread works on
  int last_;           // the one before: the others come first
  int silent_ = 0;     // looks in a row that brought nothing
  Background thread_;  // last: it begins when the others are there
};

}  // namespace tidemark
