// Committer: a thread that owns the sink, so that the engine works on the next
// transaction while the last one commits. Work is done in the order submitted; the queue is
// bounded, and a full queue makes the engine wait. After an abort everything queued is discarded
// until the engine has rebuilt its state and called restart().
#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "kernels/runtime/background.hpp"
#include "stream/encode/output.hpp"
#include "stream/kafka/consumer.hpp"
#include "stream/kafka/sink.hpp"

namespace tidemark {

class Committer {
 public:
  Committer(Sink& sink, GroupConsumer& consumer);

  /// Hands records over for the open transaction.
  void produce(std::vector<OutputBatch> batches);
  /// Ends the open transaction behind all that was handed over before. `committed` is called on the
  /// committer's thread once it is, before anything else is produced.
  void commit(std::vector<InputPosition> positions, std::function<void()> committed = {});
  /// Waits until all that was submitted is done, then says whether all of it was committed.
  bool settle();
  /// Nothing waits and nothing is under way.
  bool idle();
  /// True when a transaction was aborted and the engine has to rebuild. Rethrows what the sink
  /// threw (fenced, fatal).
  bool aborted();
  /// Drops what is queued and open; the next records begin a new transaction.
  void restart();
  std::string abort_reason() const;

 private:
  struct Task {
    std::vector<OutputBatch> batches;
    std::vector<InputPosition> positions;
    bool ends_transaction = false;
    std::function<void()> committed;
  };
  void submit(Task task);
  bool work(Background::Lock& lock);

  Sink& sink_;
  GroupConsumer& consumer_;
  // Under the lock of the thread.
  std::deque<Task> queue_;
  bool busy_ = false, aborted_ = false;
  std::string reason_;
  std::exception_ptr failure_;
  Background thread_;  // last: it begins when the others are there
};

}  // namespace tidemark
