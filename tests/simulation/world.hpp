// World: what all simulated parts of a run share. There is one at a time; the product's classes
// that are replaced here find it by world().
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stream/pipeline/config.hpp"
#include "tests/simulation/broker.hpp"
#include "tests/simulation/scheduler.hpp"

namespace tidemark::simulation {

enum class Fault : std::uint8_t {
  crash,          // the process is killed
  nap,            // it rests for less than a session
  sleep,          // it rests for longer than sessions and transactions last
  kick,           // the group drops a member that lives
  transaction,    // an error that ends in an abort
  commit_lost,    // committed, but the answer does not come
  commit_undone,  // not committed, and no answer comes
  store_refuses,  // a write fails
  store_breaks,   // what was written reads back cut
  store_loses,    // what was written is not there
  store_is_old,   // the newest object is not listed yet
  offsets_old,    // the group's offsets are told as they were before the last commit
};
inline constexpr int fault_count = 12;
std::string_view name_of(Fault fault);

struct Strike {
  std::uint64_t step = 0;
  Fault fault = Fault::crash;
  bool operator==(const Strike&) const = default;
};

/// When faults strike: by chance, or where a plan says. Each question is an opportunity.
class Faults {
 public:
  std::array<double, fault_count> chances{};
  std::vector<Strike> plan;
  std::vector<Strike>* opportunities = nullptr;  // filled where it is set
  bool over = false;                             // no more faults
  std::array<std::uint64_t, fault_count> struck{};

  bool strike(Scheduler& scheduler, Fault fault);
};

/// A checkpoint store that all processes share.
struct StoredBytes {
  std::string bytes;
  std::int64_t made_us = 0;
  bool listed = true;
};

class World {
 public:
  World(std::uint64_t seed, Config config, int partitions);
  ~World();

  bool strikes(Fault fault) { return faults.strike(scheduler, fault); }
  /// The wall clock, which Kafka's timestamps and checkpoints have.
  std::int64_t now_ms() const;

  Scheduler scheduler;
  const Config config;
  Broker broker;
  Faults faults;
  std::map<std::string, StoredBytes> store;  // by name
};

World& world();

}  // namespace tidemark::simulation
