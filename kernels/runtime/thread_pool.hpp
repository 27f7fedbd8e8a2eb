// A fixed set of workers that share one loop at a time. Results never depend on their number: a
// caller hands out ranges and every range writes its own rows. The calling thread works too.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace tidemark {

class ThreadPool {
 public:
  /// `threads` >= 1 counts the calling thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;
  using Body = std::function<void(std::size_t begin, std::size_t end, int worker)>;
  /// Runs body over [0, count) in ranges of at most `grain`, on all workers, and returns when all
  /// are done. The first exception of a range is rethrown here. Not reentrant.
  void parallel_for(std::size_t count, std::size_t grain, const Body& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
