// See world.hpp.
#include "tests/simulation/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tidemark::simulation {
namespace {

World* the_world = nullptr;

constexpr std::int64_t began_ms = 1'800'000'000'000;

}  // namespace

std::string_view name_of(Fault fault) {
  constexpr std::array<std::string_view, fault_count> names = {
      "crash",        "nap",         "sleep",         "kick",
      "transaction",  "commit-lost", "commit-undone", "store-refuses",
      "store-breaks", "store-loses", "store-is-old",  "offsets-old"};
  return names[static_cast<std::size_t>(fault)];
}

bool Faults::strike(Scheduler& scheduler, Fault fault) {
  if (over) return false;
  const Strike here{scheduler.steps(), fault};
  if (opportunities != nullptr) opportunities->push_back(here);
  const auto f = static_cast<std::size_t>(fault);
  const bool now = std::find(plan.begin(), plan.end(), here) != plan.end() ||
                   (chances[f] > 0 && scheduler.random().chance(chances[f]));
  if (!now) return false;
  ++struck[f];
  scheduler.note(fmt::format("---- {}", name_of(fault)));
  return true;
}

World::World(std::uint64_t seed, Config given, int partitions)
    : scheduler(seed),
      config(std::move(given)),
      broker(scheduler, partitions, config.kafka.assignment == Assignment::consumer) {
  the_world = this;
}

World::~World() {
  the_world = nullptr;
}

std::int64_t World::now_ms() const {
  return began_ms + scheduler.now_us() / 1'000;
}

World& world() {
  return *the_world;
}

}  // namespace tidemark::simulation
