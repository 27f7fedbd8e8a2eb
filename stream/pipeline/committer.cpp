// See committer.hpp.
#include "stream/pipeline/committer.hpp"

#include <utility>

namespace tidemark {
namespace {

constexpr std::size_t tasks_max = 8;  // about two transactions of batches in flight

}  // namespace

Committer::Committer(Sink& sink, GroupConsumer& consumer)
    : sink_(sink), consumer_(consumer), thread_([this] { run(); }) {}

Committer::~Committer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Committer::produce(std::vector<OutputBatch> batches) {
  if (!batches.empty()) submit({std::move(batches), {}, false, {}});
}

void Committer::commit(std::vector<InputPosition> positions, std::function<void()> committed) {
  submit({{}, std::move(positions), true, std::move(committed)});
}

void Committer::submit(Task task) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.size() < tasks_max || aborted_ || failure_; });
  if (aborted_ || failure_) return;  // the engine learns of it at its next aborted()
  queue_.push_back(std::move(task));
  changed_.notify_all();
}

bool Committer::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return (queue_.empty() && !busy_) || aborted_ || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  return !aborted_;
}

bool Committer::idle() {
  const std::lock_guard lock(mutex_);
  return queue_.empty() && !busy_;
}

bool Committer::aborted() {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  return aborted_;
}

std::string Committer::abort_reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

void Committer::restart() {
  std::unique_lock lock(mutex_);
  queue_.clear();
  changed_.wait(lock, [this] { return !busy_; });
  if (failure_) std::rethrow_exception(failure_);
  sink_.abort("rebuilding state");
  aborted_ = false;
  reason_.clear();
  changed_.notify_all();
}

void Committer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || (!queue_.empty() && !aborted_ && !failure_); });
    if (stop_) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    std::exception_ptr failure;
    CommitResult result;
    try {
      for (OutputBatch& batch : task.batches) sink_.produce(std::move(batch));
      if (task.ends_transaction) result = sink_.commit(task.positions, consumer_);
      if (result.committed() && task.committed) task.committed();
    } catch (...) {
      failure = std::current_exception();
    }
    task = {};
    lock.lock();
    busy_ = false;
    if (failure) failure_ = failure;
    if (!result.committed()) {
      aborted_ = true;
      reason_ = result.reason;
      queue_.clear();
    }
    changed_.notify_all();
  }
}

}  // namespace tidemark
