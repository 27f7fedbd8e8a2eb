// See run.hpp.
#include "tests/simulation/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <functional>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/manifest.hpp"
#include "stream/pipeline/serve.hpp"
#include "tests/simulation/checks.hpp"
#include "tests/simulation/events.hpp"

namespace tidemark::simulation {
namespace {

constexpr std::int64_t nap_us = 60'000;     // less than a session
constexpr std::int64_t sleep_us = 900'000;  // more than a session and a transaction
constexpr std::uint64_t healed_steps_max = 400'000;

Config make_config(Random& random, const RunOptions& options) {
  const bool small = options.small;
  Config config;
  config.file = "simulation";
  config.features_spec = TIDEMARK_SOURCE_DIR "/tests/simulation/features.yaml";
  config.bundle = "small";
  config.backend = "cpu";
  config.threads = 1;
  config.batch_events_max = small ? 4 : 1 + random.below(24);
  config.transaction_events_max = small ? 6 : 1 + random.below(60);
  config.transaction_ms_max = small ? 4 : static_cast<int>(1 + random.below(40));
  config.merge_idle_ms = small ? 2 : static_cast<int>(random.below(20));
  config.merchants_max = 64;
  config.payers_max = 1;
  config.dedup_events_max = 2'000;
  config.value_bytes_max = 4'096;
  config.zone = "UTC";
  config.future_tolerance_ms = 24LL * 3'600'000;
  config.dedup_horizon_ms = 48LL * 3'600'000;
  config.sweep_interval_ms = 24LL * 3'600'000;
  config.checkpoint_directory = "store";
  config.checkpoint_interval_s = 0;
  config.checkpoint_keep = 2;
  config.kafka.group_id = "group";
  for (std::size_t s = 0; s < source_count; ++s) {
    config.kafka.input_topics[s] = std::string(tidemark::name_of(static_cast<Source>(s))) + ".v1";
  }
  for (std::size_t t = 0; t < output_topic_count; ++t) {
    config.kafka.output_topics[t] =
        std::string(tidemark::name_of(static_cast<OutputTopic>(t))) + ".v1";
  }
  if (!small && random.chance(0.1)) config.checkpoint_directory.clear();
  if (options.at_least_once) config.kafka.delivery = Delivery::at_least_once;
  if (options.incremental) config.kafka.assignment = Assignment::consumer;
  if (options.standby) config.standby_bytes_max = std::size_t{1} << 30;
  return config;
}

/// A place for an instance: who is there now, and until when nobody is.
struct Slot {
  std::string id;
  std::shared_ptr<Process> process;
  std::int64_t empty_until_us = 0;
};

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options),
        choices_(options.seed * 2 + 1),
        partitions_(options.small ? 2 : static_cast<int>(1 + choices_.below(3))),
        world_(options.seed, make_config(choices_, options), partitions_) {
    const int instances = options.small ? 2 : static_cast<int>(1 + choices_.below(3));
    for (int i = 0; i < instances; ++i) slots_.push_back({fmt::format("tidemark-{}", i), {}, 0});
    const int events = options.small ? 14 : static_cast<int>(20 + choices_.below(240));
    for (Upstream& event : make_events(choices_, events, partitions_, options.small)) {
      upstream_.push_back(std::move(event));
    }
    world_.scheduler.keep_all = options.trace;
    world_.faults.plan = options.plan;
    world_.faults.opportunities = options.opportunities;
    if (!options.small) choose_faults();
    world_.scheduler.on_step([this](const std::string&) { strike_process(); });
  }

  RunResult run() {
    RunResult result;
    try {
      world_.scheduler.spawn("brokers", nullptr, [this] { brokers(); });
      while (!is_over()) turn();
      settle();
      check();
    } catch (const std::runtime_error& failure) {  // Failure, or what verify says
      result.failure = failure.what();
    }
    result.last_steps = world_.scheduler.last_steps();
    end_all();
    result.steps = world_.scheduler.steps();
    result.processes = static_cast<std::uint64_t>(last_process_);
    result.struck = world_.faults.struck;
    result.digest = digest();
    for (const auto& [name, stored] : world_.store) result.checkpoints += name.ends_with("json");
    return result;
  }

 private:
  void choose_faults() {
    world_.scheduler.set_switch_chance(0.02 + 0.02 * static_cast<double>(choices_.below(25)));
    for (int f = 0; f < fault_count; ++f) {
      if (!choices_.chance(0.45)) continue;
      const auto fault = static_cast<Fault>(f);
      const bool any_step = fault == Fault::crash || fault == Fault::nap || fault == Fault::sleep;
      const double most = any_step ? 0.004 : 0.15;
      world_.faults.chances[static_cast<std::size_t>(f)] =
          most * std::pow(0.5, static_cast<double>(choices_.below(6)));
    }
    // With checkpoints that break, what they stand for must not be deleted.
    const auto chance = [this](Fault fault) {
      return world_.faults.chances[static_cast<std::size_t>(fault)];
    };
    retains_ = choices_.chance(0.5) && chance(Fault::store_breaks) == 0 &&
               chance(Fault::store_loses) == 0 && chance(Fault::store_is_old) == 0;
  }

  void brokers() {
    Broker& broker = world_.broker;
    while (!ended_) {
      world_.scheduler.wait("brokers", [&] { return ended_ || broker.has_work(); });
      if (!ended_) broker.work();
    }
  }

  /// At each step of a process: whether it dies or rests here.
  void strike_process() {
    Process& process = *world_.scheduler.process();
    const std::int64_t now_us = world_.scheduler.now_us();
    if (world_.strikes(Fault::crash)) {
      process.dead = true;
      process.died_us = now_us;
    } else if (world_.strikes(Fault::nap)) {
      rest(process, nap_us);
    } else if (world_.strikes(Fault::sleep)) {
      rest(process, sleep_us);
    }
  }

  void rest(Process& process, std::int64_t us) {
    process.rests_since_us = world_.scheduler.now_us();
    process.rests_until_us = process.rests_since_us + us;
  }

  bool is_over() { return upstream_.empty() && (all_decided(world_) || turns_ > turns_max_); }

  /// One turn of whoever runs all this: upstream goes on, instances come and go.
  void turn() {
    ++turns_;
    world_.scheduler.wait("world", nullptr);
    world_.scheduler.throw_if_failed();
    for (int left = static_cast<int>(choices_.below(4)); left > 0 && !upstream_.empty(); --left) {
      Upstream event = std::move(upstream_.front());
      upstream_.pop_front();
      const std::string& topic = world_.config.kafka.input(event.source);
      append(world_.broker, topic, std::move(event));
    }
    for (Slot& slot : slots_) keep(slot);
    if (options_.small) return;
    if (choices_.chance(0.003)) stop_one();
    if (retains_ && choices_.chance(0.05)) {
      retain(static_cast<int>(choices_.below(static_cast<std::uint64_t>(partitions_))));
    }
    if (choices_.chance(0.01)) replace_sleeper();
  }

  void keep(Slot& slot) {
    const std::int64_t now_us = world_.scheduler.now_us();
    if (slot.process && (slot.process->dead || slot.process->ended)) {
      slot.process = nullptr;
      slot.empty_until_us = now_us + static_cast<std::int64_t>(choices_.below(300'000));
    }
    if (!slot.process && now_us >= slot.empty_until_us) start(slot);
  }

  void start(Slot& slot) {
    slot.process = std::make_shared<Process>();
    slot.process->number = ++last_process_;
    slot.process->id = slot.id;
    Task& task = world_.scheduler.spawn(slot.id, slot.process,
                                        [this, process = slot.process] { be_instance(process); });
    running_.emplace_back(slot.process, &task);
  }

  void be_instance(const std::shared_ptr<Process>& process) {
    Config config = world_.config;
    config.kafka.transactional_id = process->id;
    try {
      serve(config, process->stop, {});
    } catch (const RunError& error) {
      const std::string why = error.what();
      const bool expected = why.starts_with("fenced") ||
                            why.starts_with("the last transaction was aborted while stopping");
      if (!process->dead && !expected) throw;
    }
    process->ended = true;
    if (!process->dead) process->died_us = world_.scheduler.now_us();
  }

  void stop_one() {
    Slot& slot = slots_[choices_.below(slots_.size())];
    if (slot.process) slot.process->stop = true;
  }

  /// Somebody takes a resting process for dead and starts another one in its place.
  void replace_sleeper() {
    for (Slot& slot : slots_) {
      if (!slot.process || slot.process->rests_until_us <= world_.scheduler.now_us()) continue;
      start(slot);
      return;
    }
  }

  /// No more faults: everything has to be decided now.
  void settle() {
    world_.faults.over = true;
    const std::uint64_t until = world_.scheduler.steps() + healed_steps_max;
    while (!all_decided(world_)) {
      if (world_.scheduler.steps() > until) throw Failure("not all is decided after the faults");
      turn();
    }
    for (const auto& [process, task] : running_) process->stop = true;
    const auto all_ended = [this] {
      return std::all_of(running_.begin(), running_.end(),
                         [](const auto& one) { return one.second->done; });
    };
    world_.scheduler.wait("world", all_ended);
    world_.scheduler.throw_if_failed();
    // What dead producers left open ends by itself.
    world_.scheduler.pass(10'000'000);
    world_.scheduler.wait("world", [this] { return !world_.broker.has_work(); });
    world_.scheduler.throw_if_failed();
  }

  void check() {
    check_outcomes(world_);
    if (!has_struck({Fault::store_breaks, Fault::store_loses, Fault::store_is_old})) {
      check_checkpoints(world_);
    }
    for (const std::string& topic : world_.config.kafka.input_topics) bring_back(topic);
    bring_back(world_.config.kafka.output(OutputTopic::journal));
    check_by_verify(world_);
    world_.scheduler.throw_if_failed();
  }

  bool has_struck(std::initializer_list<Fault> faults) const {
    return std::any_of(faults.begin(), faults.end(), [this](Fault fault) {
      return world_.faults.struck[static_cast<std::size_t>(fault)] > 0;
    });
  }

  /// What retention took out of the engine's sight is there for the checks.
  void bring_back(const std::string& topic) {
    for (int p = 0; p < partitions_; ++p) world_.broker.log(topic, p).begin = 0;
  }

  /// Deletes what nobody needs who keeps to the documents: the logs before the older of the two
  /// newest states of a partition.
  void retain(int partition) {
    std::vector<CheckpointManifest> states;
    const std::string folder = checkpoint_folder(world_.config.kafka.group_id, partition);
    for (const auto& [name, stored] : world_.store) {
      if (!name.starts_with(folder) || !is_manifest(name)) continue;
      states.push_back(decode_manifest(stored.bytes, name));
    }
    std::sort(states.begin(), states.end(),
              [](const auto& a, const auto& b) { return a.journal_next > b.journal_next; });
    const auto same = [](const auto& a, const auto& b) { return a.journal_next == b.journal_next; };
    states.erase(std::unique(states.begin(), states.end(), same), states.end());
    if (states.size() < 2) return;
    const auto cut = [&](const std::string& topic, std::int64_t next) {
      Log& log = world_.broker.log(topic, partition);
      log.begin = std::max(log.begin, next);
    };
    cut(world_.config.kafka.output(OutputTopic::journal), states[1].journal_next);
    for (const Source source : keyed_sources) {
      cut(world_.config.kafka.input(source), states[1].next[static_cast<std::size_t>(source)]);
    }
  }

  void end_all() {
    world_.faults.over = true;
    ended_ = true;
    for (const auto& [process, task] : running_) process->dead = true;
    for (const auto& [process, task] : running_) world_.scheduler.join(*task);
    world_.scheduler.wait_dead_or_alive([this] { return world_.scheduler.is_alone(); });
  }

  std::uint64_t digest() {
    std::uint64_t sum = world_.scheduler.steps();
    const auto add = [&sum](const std::string& topic, const Log& log) {
      for (std::int64_t at = 0; at < log.end(); ++at) {
        const std::size_t one = std::hash<std::string>()(log.at(at).value);
        sum = sum * 1'099'511'628'211ULL + one + static_cast<std::uint64_t>(log.at(at).state);
      }
      sum ^= std::hash<std::string>()(topic);
    };
    for (const std::string& topic : world_.config.kafka.output_topics) {
      for (int p = 0; p < partitions_; ++p) add(topic, world_.broker.log(topic, p));
    }
    return sum;
  }

  static constexpr int turns_max_ = 20'000;
  const RunOptions options_;
  Random choices_;
  const int partitions_;
  World world_;
  std::deque<Upstream> upstream_;
  std::vector<Slot> slots_;
  std::vector<std::pair<std::shared_ptr<Process>, Task*>> running_;
  int last_process_ = 0, turns_ = 0;
  bool ended_ = false, retains_ = false;
};

}  // namespace

RunResult run(const RunOptions& options) {
  return Run(options).run();
}

}  // namespace tidemark::simulation
