// What of the machine is simulated: threads with a queue, clocks, chance, and the points where a
// process may be killed. The linker puts the functions named __wrap_* in the place of those of the
// standard library, in this program alone.
#include <time.h>

#include <chrono>
#include <random>
#include <utility>

#include "kernels/base/crash_point.hpp"
#include "kernels/runtime/background.hpp"
#include "models/bundle.hpp"
#include "stream/pipeline/lane_repeater.hpp"
#include "stream/pipeline/lane_snapshot.hpp"
#include "tests/models/policy_fixture.hpp"
#include "tests/simulation/world.hpp"

namespace tidemark {

using simulation::Task;
using simulation::world;

void crash_point(const char* name) {
  world().scheduler.step(name);
}

struct Background::Impl {
  void run() {
    while (!stop) {
      Lock lock(mutex);
      news = false;
      if (work(lock)) continue;
      lock.unlock();
      world().scheduler.wait_dead_or_alive([this] { return stop || (news && !process->dead); });
    }
  }

  Work work;
  std::shared_ptr<simulation::Process> process = world().scheduler.process();
  std::mutex mutex;  // never contended: nobody gives the turn away under it
  bool stop = false, news = true;
  Task* task = nullptr;
};

Background::Background(Work work) : impl_(std::make_unique<Impl>()) {
  impl_->work = std::move(work);
  impl_->task =
      &world().scheduler.spawn("thread", impl_->process, [impl = impl_.get()] { impl->run(); });
}

Background::~Background() {
  impl_->stop = true;
  world().scheduler.join(*impl_->task);
}

Background::Lock Background::lock() const {
  return Lock(impl_->mutex);
}

void Background::changed() {
  impl_->news = true;
}

void Background::wait(Lock& lock, const std::function<bool()>& done) {
  while (!done()) {
    lock.unlock();
    world().scheduler.wait("waits for a thread", done);
    lock.lock();
  }
}

/// Any bundle is the small one of the policy's tests.
Bundle load_bundle(const std::filesystem::path&, std::span<const std::string>, std::string_view) {
  return testing::small_bundle();
}

}  // namespace tidemark

extern "C" {

std::chrono::steady_clock::time_point __wrap__ZNSt6chrono3_V212steady_clock3nowEv() {
  const std::chrono::microseconds now(tidemark::simulation::world().scheduler.now_us());
  return std::chrono::steady_clock::time_point(now);
}

std::chrono::system_clock::time_point __wrap__ZNSt6chrono3_V212system_clock3nowEv() {
  return std::chrono::system_clock::time_point(
      std::chrono::milliseconds(tidemark::simulation::world().now_ms()));
}

unsigned __wrap__ZNSt13random_device9_M_getvalEv(std::random_device*) {
  return static_cast<unsigned>(tidemark::simulation::world().scheduler.random().below(1ULL << 32));
}

/// Who sleeps gives others the turn.
int __wrap_nanosleep(const timespec* asked, timespec*) {
  tidemark::simulation::world().scheduler.step("sleep");
  tidemark::simulation::world().scheduler.pass(asked->tv_sec * 1'000'000 + asked->tv_nsec / 1'000);
  return 0;
}

/// A checkpoint of a small state takes several rounds, as one of a large state does.
bool __real__ZN8tidemark12LaneSnapshot7advanceERKNS_4LaneEm(tidemark::LaneSnapshot*,
                                                            const tidemark::Lane&, std::size_t);
bool __wrap__ZN8tidemark12LaneSnapshot7advanceERKNS_4LaneEm(tidemark::LaneSnapshot* snapshot,
                                                            const tidemark::Lane& lane,
                                                            std::size_t bytes) {
  if (bytes != SIZE_MAX) bytes = tidemark::simulation::world().scheduler.random().below(2'000);
  return __real__ZN8tidemark12LaneSnapshot7advanceERKNS_4LaneEm(snapshot, lane, bytes);
}

/// Only a standby looks before it is through: sometimes it finds another state than the journal's.
void __real__ZN8tidemark12LaneRepeater10check_hashEv(tidemark::LaneRepeater*);
void __wrap__ZN8tidemark12LaneRepeater10check_hashEv(tidemark::LaneRepeater* lane) {
  __real__ZN8tidemark12LaneRepeater10check_hashEv(lane);
  if (tidemark::simulation::world().scheduler.random().below(1'000) > 0) return;
  throw tidemark::Diverged("simulated: the repeated state is another one");
}

}  // extern "C"
