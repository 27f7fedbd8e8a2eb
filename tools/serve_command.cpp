// `tidemark serve`: Kafka in, Kafka out, until SIGTERM or SIGINT.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>

#include "stream/pipeline/serve.hpp"
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
    ServeHooks hooks;
    hooks.ready = [] { spdlog::info("ready"); };
    const SourceCounts counts = serve(config, stop_requested, hooks);
    spdlog::info("stopped: everything decided was committed");
    fmt::print("{{{}}}\n", counts_json(counts));
  });
}

}  // namespace tidemark
