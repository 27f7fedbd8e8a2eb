#include "kernels/runtime/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"

namespace tidemark {

struct ThreadPool::Impl {
  std::mutex mutex;
  std::condition_variable start, finish;
  std::uint64_t round = 0;  // guarded by mutex; a new value is a new loop
  int busy = 0;             // guarded by mutex; workers still inside the loop
  bool stop = false;
  std::exception_ptr error;

  const Body* body = nullptr;
  std::size_t count = 0, grain = 1;
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> workers;

  void work(int worker) {
    try {
      while (true) {
        const std::size_t begin = next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= count) return;
        (*body)(begin, std::min(count, begin + grain), worker);
      }
    } catch (...) {
      // The other workers run out of ranges; which of several errors is kept does not matter.
      next.store(count, std::memory_order_relaxed);
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  }

  void worker_loop(int worker) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    while (true) {
      start.wait(lock, [&] { return stop || round != seen; });
      if (stop) return;
      seen = round;
      lock.unlock();
      work(worker);
      lock.lock();
      if (--busy == 0) finish.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  if (threads < 1) throw UsageError("threads: at least 1 is needed");
  for (int worker = 1; worker < threads; ++worker) {
    impl_->workers.emplace_back([impl = impl_.get(), worker] { impl->worker_loop(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->start.notify_all();
  for (std::thread& worker : impl_->workers) worker.join();
}

int ThreadPool::threads() const {
  return static_cast<int>(impl_->workers.size()) + 1;
}

void ThreadPool::parallel_for(std::size_t count, std::size_t grain, const Body& body) {
  if (count == 0) return;
  grain = std::max<std::size_t>(grain, 1);
  if (impl_->workers.empty() || count <= grain) {
    for (std::size_t begin = 0; begin < count; begin += grain) {
      body(begin, std::min(count, begin + grain), 0);
    }
    return;
  }
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->body = &body;
    impl_->count = count;
    impl_->grain = grain;
    impl_->next.store(0, std::memory_order_relaxed);
    impl_->busy = static_cast<int>(impl_->workers.size());
    ++impl_->round;
  }
  impl_->start.notify_all();
  impl_->work(0);
  std::unique_lock lock(impl_->mutex);
  impl_->finish.wait(lock, [&] { return impl_->busy == 0; });
  if (impl_->error) std::rethrow_exception(std::exchange(impl_->error, nullptr));
}

}  // namespace tidemark
