// See background.hpp.
#include "kernels/runtime/background.hpp"

#include <condition_variable>
#include <thread>
#include <utility>

namespace tidemark {

struct Background::Impl {
  explicit Impl(Work given) : work(std::move(given)), thread([this] { run(); }) {}

  void run() {
    Lock lock(mutex);
    while (!stop) {
      if (work(lock)) {
        changed.notify_all();
      } else {
        changed.wait(lock);
      }
    }
  }

  Work work;
  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;
  std::thread thread;  // last: it begins when the others are there
};

Background::Background(Work work) : impl_(std::make_unique<Impl>(std::move(work))) {}

Background::~Background() {
  {
    const Lock lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

Background::Lock Background::lock() const {
  return Lock(impl_->mutex);
}

void Background::changed() {
  impl_->changed.notify_all();
}

void Background::wait(Lock& lock, const std::function<bool()>& done) {
  impl_->changed.wait(lock, done);
}

}  // namespace tidemark
