// See scheduler.hpp.
#include "tests/simulation/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tidemark::simulation {
namespace {

constexpr std::size_t notes_max = 60;
constexpr std::int64_t first_us = 1'000'000'000;
constexpr std::int64_t step_us = 40;
// With nobody able to go on, time passes in larger steps, but not for ever.
constexpr std::int64_t idle_us = 2'000;
constexpr std::uint64_t steps_max = 2'000'000;
constexpr int idle_looks_max = 300'000;

}  // namespace

Scheduler::Scheduler(std::uint64_t seed) : random_(seed) {
  tasks_.push_back(std::make_unique<Task>());
  current_ = tasks_.front().get();
  current_->name = "world";
}

Scheduler::~Scheduler() {
  for (const auto& task : tasks_) {
    if (task->thread.joinable()) task->thread.join();
  }
}

Task& Scheduler::spawn(std::string name, std::shared_ptr<Process> process,
                       std::function<void()> body) {
  Task& task = *tasks_.emplace_back(std::make_unique<Task>());
  task.name = std::move(name);
  task.process = std::move(process);
  task.thread = std::thread([this, &task, body = std::move(body)] {
    task.turn.acquire();
    try {
      body();
    } catch (const Crash&) {  // the end of a process that was killed
    } catch (const std::exception& error) {
      fail(task.name + ": " + error.what());
    }
    task.done = true;
    hand_over(false);
  });
  return task;
}

void Scheduler::join(Task& task) noexcept {
  wait_dead_or_alive([&task] { return task.done; });
  task.thread.join();
  std::erase_if(tasks_, [&task](const auto& one) { return one.get() == &task; });
}

bool Scheduler::is_alone() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [this](const auto& task) {
    return task->done || task.get() == tasks_.front().get();
  });
}

bool Scheduler::may_go_on(const Task& task) const {
  if (task.done) return false;
  if (task.process && !task.process->dead && task.process->rests_until_us > now_us_) return false;
  return !task.ready || task.ready();
}

void Scheduler::switch_to(Task& next) {
  Task& me = *current_;
  if (&next == &me) return;
  current_ = &next;
  next.turn.release();
  if (!me.done) me.turn.acquire();
}

void Scheduler::hand_over(bool stay_if_possible) {
  if (stay_if_possible && !random_.chance(switch_chance_) && may_go_on(*current_)) return;
  std::vector<Task*> able;
  for (int looks = 0; able.empty(); ++looks) {
    for (const auto& task : tasks_) {
      if (may_go_on(*task)) able.push_back(task.get());
    }
    if (!able.empty()) break;
    if (looks == idle_looks_max) {
      // A hang: the first task says so, whatever it waits for.
      fail("nobody can go on");
    }
    now_us_ += idle_us;
  }
  switch_to(*able[random_.below(able.size())]);
}

void Scheduler::step(const std::string& what) {
  wait(what, nullptr);
}

void Scheduler::wait(const std::string& what, std::function<bool()> ready) {
  if (++steps_ == steps_max) fail("the run does not end");
  now_us_ += step_us;
  const Process* const mine = current_->process.get();
  if (mine != nullptr && mine->dead) throw Crash{};
  if (mine != nullptr) {
    note(what);
    if (look_) look_(what);
    if (mine->dead) throw Crash{};
  }
  current_->ready = std::move(ready);
  // The dead need not wait for what will not come.
  if (current_->ready && mine != nullptr) {
    current_->ready = [mine, until = std::move(current_->ready)] { return mine->dead || until(); };
  }
  hand_over(true);
  current_->ready = nullptr;
  if (mine != nullptr && mine->dead) throw Crash{};
}

void Scheduler::wait_dead_or_alive(std::function<bool()> ready) noexcept {
  if (ready()) return;
  current_->ready = std::move(ready);
  hand_over(false);
  current_->ready = nullptr;
}

void Scheduler::fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
  tasks_.front()->ready = nullptr;
}

void Scheduler::throw_if_failed() const {
  if (!failure_.empty()) throw Failure(failure_);
}

void Scheduler::note(std::string what) {
  notes_.push_back({steps_, now_us_, current_->process, std::move(what)});
  if (!keep_all && notes_.size() > notes_max) notes_.pop_front();
}

std::string Scheduler::last_steps() const {
  std::string all;
  for (const Note& note : notes_) {
    all += fmt::format("  {:>7} {:>7.2f} ms  {}.{}  {}\n", note.step,
                       static_cast<double>(note.at_us - first_us) / 1e3,
                       note.process ? note.process->id : "",
                       note.process ? note.process->number : 0, note.what);
  }
  return all;
}

}  // namespace tidemark::simulation
