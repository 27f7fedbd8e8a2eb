// What the simulated Kafka clients share: the consumer's inside, which the sink asks for its fence,
// and records on their way out of a log.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stream/encode/output.hpp"
#include "stream/kafka/consumer.hpp"
#include "tests/simulation/world.hpp"

namespace tidemark {

struct GroupConsumer::Impl {
  explicit Impl(const KafkaSettings& given) : settings(given) {}

  /// What the group has to say to this member, if anything: a rebalance, or that it is none any
  /// more.
  bool heed_group(Polled& polled);
  bool heed_incremental(Polled& polled);
  bool reconcile(Polled& polled);
  /// A heartbeat of the client's own thread, now and then; who commits sees what it has learnt.
  void beat();
  void forget_group();
  bool revoke(Polled& polled, bool lost);
  void fetch(std::size_t records_max, Polled& polled);

  const KafkaSettings settings;
  bool subscribed = false;
  std::string member;  // empty: not in the group
  int generation = -1;
  bool was_member = false, revoking = false;
  std::set<int> held;
  // With incremental rebalances: not to be believed before the caller has let go of everything;
  // what the coordinator said last, what is being done of it, and whether it is done and not told.
  bool cast_out = false, reconciling = false, telling = false;
  std::set<int> told, target;
  struct Fetched {
    SourceOffsets next{};
    std::array<const simulation::Log*, source_count> logs{};
  };
  std::map<int, Fetched> started;
  std::map<int, std::int64_t> taken_us;  // when the group gave a partition last
  std::set<std::pair<int, Source>> paused, ended;
};

namespace simulation {

struct Found {
  const Entry* entry = nullptr;
  std::int64_t offset = 0;
  int partition = 0;
  Source source = Source::payments;
};
std::shared_ptr<RawBatch> copy_entries(const std::vector<Found>& found);

/// An output on its way into a log.
struct OutputEntry {
  Place place;
  Entry entry;
  std::int64_t expected_offset = -1;  // of a journal record: where it has to come to lie, or -1
};
OutputEntry output_entry(const KafkaSettings& settings, const OutputBatch& batch,
                         const OutputRecord& record);

/// Whether a process other than this member's holds its place in the group. A dead one loses it.
bool another_instance_lives(const std::string& instance, const std::string& own_member);

}  // namespace simulation
}  // namespace tidemark
