// One simulated run: a cluster, some instances of `serve`, an upstream, and somebody who starts and
// stops instances, from a seed. At the end faults stop, everything has to be decided, and all
// checks are made. Runs of one seed are the same to the last step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/world.hpp"

namespace tidemark::simulation {

struct RunOptions {
  std::uint64_t seed = 0;
  /// A small run in which nothing but `plan` goes wrong: two instances, a few payments.
  bool small = false;
  bool at_least_once = false;  // the delivery
  bool standby = false;        // instances follow what others own
  bool incremental = false;    // the group takes only what moves (kafka.assignment: consumer)
  std::vector<Strike> plan;
  std::vector<Strike>* opportunities = nullptr;
  bool trace = false;  // all steps on stderr
};

struct RunResult {
  std::string failure;  // empty: all is well
  std::string last_steps;
  std::uint64_t steps = 0, processes = 0, transactions = 0, checkpoints = 0;
  std::uint64_t digest = 0;  // of all logs: the same for the same seed
  std::array<std::uint64_t, fault_count> struck{};
};

RunResult run(const RunOptions& options);

}  // namespace tidemark::simulation
