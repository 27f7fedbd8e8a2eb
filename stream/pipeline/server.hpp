// The parts of serve: what it holds, and one function for each thing that can happen to it. Private
// to serve.cpp and server.cpp; one thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "stream/kafka/predecessors.hpp"
#include "stream/kafka/pulse.hpp"
#include "stream/pipeline/checkpointer.hpp"
#include "stream/pipeline/committer.hpp"
#include "stream/pipeline/engine.hpp"
#include "stream/pipeline/intake.hpp"
#include "stream/pipeline/observe.hpp"
#include "stream/pipeline/recovery.hpp"
#include "stream/pipeline/standby.hpp"

namespace tidemark {

/// Thrown out of a recovery when the program is asked to stop: nothing is open, nothing is lost.
struct Interrupted {};

class Server {
 public:
  /// `stop` ends a recovery early. `stages`: others of this process, or null.
  Server(const Config& config, int partitions, const std::atomic<bool>& stop,
         const StageBoard* stages);
  ~Server();

  /// Follows the partitions of a manual assignment without having them, until `take_over` says that
  /// it is time to start(). False when the program was asked to stop before.
  bool stand_by(const std::function<bool()>& take_over);
  /// Joins the group. Call once.
  void start();
  /// One round: poll, take in, score what may go, commit when it is time.
  void round();
  /// Finishes and commits what was scored, calls `settled`, then leaves the group.
  void stop(const std::function<void()>& settled);
  /// Outcomes of the partitions held, since the start of the log.
  SourceCounts counts() const;
  bool recovered_once() const { return recovered_once_; }
  std::uint64_t rows_taken() const { return rows_taken_; }
  std::uint64_t rows_handed() const { return rows_handed_; }
  Observer& observer() { return observer_; }

 private:
  /// Both give whether lanes that stay were rebuilt.
  bool take_assignment(const std::vector<int>& partitions);
  bool give_up(const GroupConsumer::Polled& polled);
  void take_in(const GroupConsumer::Polled& polled);
  void take_in_control();
  void feed_control(Lane& lane, std::size_t from);
  void hold_back(Lane& lane);
  bool work();
  void check_dead_letters(const Lane& lane);
  void hand_over();
  bool commit_is_due() const;
  void commit();
  void rebuild(const std::string& why);
  void recover(int partition);
  SourceOffsets committed_of(int partition);
  Recovered repeat_log(int partition, const SourceOffsets& committed);
  void drop_lane(int partition);
  std::vector<int> own_partitions() const;
  void follow_others();
  std::optional<Recovered> repeat_warm(LogRepeater& log, int partition,
                                       const SourceOffsets& committed);
  std::optional<Recovered> take_warm(int partition);
  void keep_warm(int partition);
  void observe_standby();
  std::function<void()> begin_checkpoints();
  std::optional<Checkpointer::Begun> begin_checkpoint(Lane& lane, bool at_once);
  void settle_checkpoint(const Checkpointer::Begun& begun);
  void watch_retention(const Checkpointer::Begun& begun, std::int64_t journal_next);
  void last_checkpoints(const std::vector<int>& partitions);

  const Config& config_;
  const KafkaSettings kafka_;
  const int partitions_;
  const std::atomic<bool>& stop_;
  Backend backend_;
  ThreadPool pool_;
  ReleaseSet releases_;
  Intake intake_;
  Pulse pulse_;
  Observer observer_;
  std::unique_ptr<Sink> sink_;
  GroupConsumer consumer_;
  Predecessors predecessors_;
  std::unique_ptr<ReaderClient> readers_;
  std::unique_ptr<PlainReader> control_;
  std::optional<Checkpointer> checkpoints_;
  std::unique_ptr<Committer> committer_;

  std::map<int, std::unique_ptr<Lane>> lanes_;
  std::map<int, SourceOffsets> next_;        // of each lane, when what was handed over is committed
  std::map<int, std::int64_t> journal_end_;  // of each lane, where its next record will lie
  int last_lane_ = -1;                       // the one that worked last: the others come first
  std::map<int, std::array<bool, source_count>> paused_;
  std::vector<std::shared_ptr<const RawBatch>> control_log_;  // everything read of control.v1
  std::vector<OutputBatch> records_;
  std::size_t open_rows_ = 0;   // processed since the last commit
  MonotonicTime open_since_{};  // when the first of them was
  std::uint64_t rows_taken_ = 0, rows_handed_ = 0;
  bool release_published_ = false;
  bool recovered_once_ = false;
  MonotonicTime standby_seen_{};  // for metrics
  std::unique_ptr<Standby> standby_;
};

}  // namespace tidemark
