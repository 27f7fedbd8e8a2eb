// `tidemark serve`: Kafka in, Kafka out, until SIGTERM or SIGINT.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stop_token>
#include <thread>

#include "stream/hops/serve_stages.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"

namespace tidemark {
namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

// The first signal asks for a clean stop, a second one does not wait: exactly-once does not need
// the clean stop, it only makes the next start quicker.
extern "C" void on_stop_signal(int) {
  if (stop_requested.exchange(true)) std::_Exit(EXIT_FAILURE);
}

std::atomic<bool> takeover_requested{false};

extern "C" void on_takeover_signal(int) {
  takeover_requested = true;
}

/// Ends the process where a clean stop takes too long: with the broker gone, calls that would end a
/// transaction wait for it without end.
class StopLimit {
 public:
  explicit StopLimit(std::chrono::seconds limit)
      : watch_([this, limit](const std::stop_token& stopped) { watch(limit, stopped); }) {}

  /// The transactions are over: what is left is a checkpoint, which may take its time.
  void settled() { settled_ = true; }

 private:
  void watch(std::chrono::seconds limit, const std::stop_token& stopped) {
    auto asked = std::chrono::steady_clock::time_point::max();
    while (!stopped.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      const auto now = std::chrono::steady_clock::now();
      if (stop_requested && asked > now) asked = now;
      if (now - asked < (settled_ ? checkpoint_limit + limit : limit)) continue;
      if (settled_) {
        fmt::print(
            stderr,
            "tidemark: all is committed, but the last checkpoint was not written within {} s "
            "of the signal to stop; the next start repeats more of the log\n",
            (checkpoint_limit + limit).count());
      } else {
        fmt::print(stderr,
                   "tidemark: kafka: the last transaction did not end within {} s of the signal to "
                   "stop (kafka.connect_timeout_s); nothing is lost, the next start repeats it\n",
                   limit.count());
      }
      std::_Exit(EXIT_FAILURE);
    }
  }

  static constexpr std::chrono::seconds checkpoint_limit{120};
  std::atomic<bool> settled_{false};
  std::jthread watch_;  // last: it looks at what stands before it
};

}  // namespace

void add_serve_command(CLI::App& app) {
  auto options = std::make_shared<ConfigOptions>();
  CLI::App* command =
      app.add_subcommand("serve", "Read from Kafka, publish to Kafka, exactly once");
  options->add_to(*command);
  command->callback([options] {
    const Config config = options->load();
    std::signal(SIGTERM, on_stop_signal);
    std::signal(SIGINT, on_stop_signal);
    std::signal(SIGUSR1, on_takeover_signal);
    StopLimit limit(std::chrono::seconds(config.kafka.connect_timeout_s));
    ServeHooks hooks;
    hooks.ready = [] { spdlog::info("ready"); };
    hooks.take_over = [] { return takeover_requested.load(); };
    hooks.settled = [&limit] { limit.settled(); };
    const SourceCounts counts = serve_stages(config, stop_requested, hooks);
    spdlog::info("stopped: everything decided was committed");
    fmt::print("{{{}}}\n", counts_json(counts));
  });
}

}  // namespace tidemark
