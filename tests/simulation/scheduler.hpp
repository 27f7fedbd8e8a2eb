// Scheduler: the threads of a simulated run, of which one goes on at a time. Every simulated call
// is a step; there the scheduler may hand the turn to another thread, and there a process may die,
// rest or meet a fault. What it chooses follows from the seed alone; time is simulated too.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tidemark::simulation {

/// Thrown out of a simulated call of a process that was killed. No std::exception: nobody may take
/// it for an error.
struct Crash {};

/// A run that cannot go on, or a broken invariant: the message says what.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One instance of the program, from its start to its end.
struct Process {
  int number = 0;                                       // 1, 2, ... in the run
  std::string id;                                       // its kafka.transactional_id
  std::atomic<bool> stop{false};                        // it was asked to end
  bool ended = false;                                   // it has
  bool dead = false;                                    // every call of it throws Crash
  std::int64_t died_us = 0;                             // or ended
  std::int64_t rests_since_us = 0, rests_until_us = 0;  // stopped, as by SIGSTOP
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// 0 to n - 1.
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  bool chance(double p) { return static_cast<double>(engine_() >> 11) * 0x1p-53 < p; }

 private:
  std::mt19937_64 engine_;
};

/// A thread of the run. It goes on only while it has the turn.
struct Task {
  std::string name;
  std::shared_ptr<Process> process;  // null: the world's own
  std::function<bool()> ready;       // what it waits for, if anything
  bool done = false;
  std::binary_semaphore turn{0};
  std::thread thread;
};

class Scheduler {
 public:
  /// The calling thread becomes the first task.
  explicit Scheduler(std::uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// A new thread of `process`. Whatever it throws but Crash fails the run.
  Task& spawn(std::string name, std::shared_ptr<Process> process, std::function<void()> body);
  /// Waits until it has ended; does not throw.
  void join(Task& task) noexcept;

  /// No other task is left but such as have ended.
  bool is_alone() const;

  /// A step of the task that has the turn. Throws Crash when its process is dead.
  void step(const std::string& what);
  /// A step that ends when `ready`; asked by whoever has the turn.
  void wait(const std::string& what, std::function<bool()> ready);
  /// The same for destructors: a dead process waits like any other.
  void wait_dead_or_alive(std::function<bool()> ready) noexcept;

  const std::shared_ptr<Process>& process() const { return current_->process; }
  Random& random() { return random_; }
  std::int64_t now_us() const { return now_us_; }
  void pass(std::int64_t us) { now_us_ += us; }
  std::uint64_t steps() const { return steps_; }
  void set_switch_chance(double p) { switch_chance_ = p; }
  /// Called with each step of a process, before anybody else may go on: it may kill, stop or mark.
  void on_step(std::function<void(const std::string& what)> look) { look_ = std::move(look); }

  void note(std::string what);
  std::string last_steps() const;
  bool keep_all = false;  // of the notes, not only the last ones
  /// The first thing that is wrong; the run ends with it. Any task.
  void fail(const std::string& what);
  /// Throws Failure when something is. For the first task, which is woken up for it.
  void throw_if_failed() const;

 private:
  bool may_go_on(const Task& task) const;
  void hand_over(bool stay_if_possible);
  void switch_to(Task& next);

  Random random_;
  std::deque<std::unique_ptr<Task>> tasks_;
  Task* current_ = nullptr;
  std::int64_t now_us_ = 1'000'000'000;
  std::uint64_t steps_ = 0;
  std::string failure_;
  double switch_chance_ = 0.2;
  std::function<void(const std::string&)> look_;
  struct Note {
    std::uint64_t step = 0;
    std::int64_t at_us = 0;
    std::shared_ptr<const Process> process;
    std::string what;
  };
  std::deque<Note> notes_;
};

}  // namespace tidemark::simulation
