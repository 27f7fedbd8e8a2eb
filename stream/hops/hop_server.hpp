// HopServer: runs one hop between two topics, exactly once: its outputs and the offsets behind them
// are one transaction of its own group and id. The loop of Server without a merge and a journal: a
// hop has one source, so its order is that of the log. One thread; the committer's is the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stream/hops/hop.hpp"
#include "stream/kafka/predecessors.hpp"
#include "stream/pipeline/committer.hpp"
#include "stream/pipeline/config.hpp"
#include "stream/pipeline/merge.hpp"
#include "stream/pipeline/stage_board.hpp"

namespace tidemark {

/// What a stage's clients are told: its topics, a group and a transactional id of its own, whatever
/// the delivery of the merchants' stage.
KafkaSettings hop_settings(const Config& config, Stage stage);

class HopServer {
 public:
  /// `kafka` is hop_settings() of the stage, `partitions` are those of the topic that it reads. The
  /// board has the stage from now on.
  HopServer(const Config& config, const KafkaSettings& kafka, int partitions, std::string stage,
            std::unique_ptr<Hop> hop, StageBoard& board, const std::atomic<bool>& stop);
  ~HopServer();

  /// Until `stop` is set: then what was read is handed on, committed, and the call returns. Calls
  /// `ready` once, when its first partitions are restored. Throws UsageError, RunError.
  void run(const std::function<void()>& ready);

 private:
  void start();
  void round();
  void take_in(const GroupConsumer::Polled& polled);
  void take_assignment(const std::vector<int>& partitions);
  void give_up(const GroupConsumer::Polled& polled);
  void open(int partition);
  void rebuild(const std::string& why);
  bool commit_is_due() const;
  void commit();
  void leave(const std::vector<int>& partitions);
  std::vector<int> open_partitions() const;
  void drop(int partition);
  void show(bool ready);

  const Config& config_;
  const KafkaSettings kafka_;
  const int partitions_;
  const std::string stage_;
  std::unique_ptr<Hop> hop_;
  StageBoard& board_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<Sink> sink_;
  GroupConsumer consumer_;
  Predecessors predecessors_;
  std::unique_ptr<Committer> committer_;

  std::map<int, std::int64_t>
      next_;  // of each open partition, when all that was taken is committed
  std::map<int, std::int64_t> taken_;  // of those with records in the open transaction
  std::size_t open_records_ = 0;       // in it
  MonotonicTime open_since_{};
  std::atomic<std::uint64_t> committed_records_{0};
  std::uint64_t rebuilds_ = 0;
  bool ready_ = false, was_ready_ = false;
  MonotonicTime shown_{};
};

}  // namespace tidemark
