// See committer.hpp.
#include "stream/pipeline/committer.hpp"

#include <utility>

namespace tidemark {
namespace {

constexpr std::size_t tasks_max = 8;  // about two transactions of batches in flight

}  // namespace

Committer::Committer(Sink& sink, GroupConsumer& consumer)
    : sink_(sink), consumer_(consumer), thread_([this](auto& lock) { return work(lock); }) {}

void Committer::produce(std::vector<OutputBatch> batches) {
  if (!batches.empty()) submit({std::move(batches), {}, false, {}});
}

void Committer::commit(std::vector<InputPosition> positions, std::function<void()> committed) {
  submit({{}, std::move(positions), true, std::move(committed)});
}

void Committer::submit(Task task) {
  auto lock = thread_.lock();
  thread_.wait(lock, [this] { return queue_.size() < tasks_max || aborted_ || failure_; });
  if (aborted_ || failure_) return;  // the engine learns of it at its next aborted()
  queue_.push_back(std::move(task));
  thread_.changed();
}

bool Committer::settle() {
  auto lock = thread_.lock();
  thread_.wait(lock, [this] { return (queue_.empty() && !busy_) || aborted_ || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  return !aborted_;
}

bool Committer::idle() {
  const auto lock = thread_.lock();
  return queue_.empty() && !busy_;
}

bool Committer::aborted() {
  const auto lock = thread_.lock();
  if (failure_) std::rethrow_exception(failure_);
  return aborted_;
}

std::string Committer::abort_reason() const {
  const auto lock = thread_.lock();
  return reason_;
}

void Committer::restart() {
  auto lock = thread_.lock();
  aborted_ = true;  // so that the thread rests
  queue_.clear();
  thread_.wait(lock, [this] { return !busy_; });
  if (failure_) std::rethrow_exception(failure_);
  lock.unlock();
  sink_.abort("rebuilding state");
  lock.lock();
  aborted_ = false;
  reason_.clear();
}

bool Committer::work(Background::Lock& lock) {
  if (queue_.empty() || aborted_ || failure_) return false;
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
  return true;
}

}  // namespace tidemark
