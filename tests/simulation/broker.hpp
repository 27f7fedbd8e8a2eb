// Broker: a Kafka cluster in memory, as far as the engine's promises rest on it. Partition logs
// with offsets and transaction markers, a last stable offset, transactional ids with epochs,
// offsets that are committed in a transaction and fenced by the group's generation, rebalances that
// take everything back (of static members) or only what moves (KIP-848), sessions and transactions
// that expire, retention. It answers at once and truthfully; what goes wrong on the way to it is
// for the clients to play.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stream/kafka/consumer.hpp"
#include "tests/simulation/scheduler.hpp"

namespace tidemark::simulation {

using Headers = std::vector<std::pair<std::string, std::string>>;

enum class EntryState : std::uint8_t { committed, open, aborted, marker };

struct Entry {
  std::string key, value;
  bool null_key = false, null_value = false;
  std::int64_t time_ms = 0;
  Headers headers;
  EntryState state = EntryState::committed;
  std::uint64_t transaction = 0;  // 0: none
};

class Log {
 public:
  std::int64_t end() const { return static_cast<std::int64_t>(entries_.size()); }
  /// One past the last record whose fate is known.
  std::int64_t stable_end() const;
  const Entry& at(std::int64_t offset) const { return entries_[static_cast<std::size_t>(offset)]; }
  void append(Entry entry);
  /// Writes the marker of a transaction that has written here.
  void settle(std::uint64_t transaction, bool commit);

  std::int64_t begin = 0;  // what lies before it is deleted, to all but the checks

 private:
  std::vector<Entry> entries_;
  std::map<std::uint64_t, std::int64_t> open_;  // transaction -> its first offset
};

/// A topic and partition.
using Place = std::pair<std::string, int>;
/// A keyed source and partition.
using Input = std::pair<Source, int>;

enum class Answer : std::uint8_t { done, fenced, not_a_member };

struct Member {
  std::string id, instance;
  std::shared_ptr<Process> process;
  bool joined = false;  // of the rebalance under way
  std::set<int> assigned;
  // With incremental rebalances:
  int epoch = 0;
  std::set<int> target;   // what it shall have when all is done
  std::set<int> leaving;  // what it was told to let go of, and has not said that it did
};

/// The answer to a heartbeat: what the member has now.
struct Told {
  int epoch = 0;
  std::set<int> assigned;
};

class Broker {
 public:
  Broker(Scheduler& scheduler, int partitions, bool incremental)
      : scheduler_(scheduler), partitions_(partitions), incremental_(incremental) {}

  int partitions() const { return partitions_; }
  Log& log(const std::string& topic, int partition) { return logs_[{topic, partition}]; }

  // Transactions. A call for a transactional id names the epoch that its init gave.
  /// Ends what an older epoch left open; over once is_idle().
  int init_producer(const std::string& id);
  bool is_idle(const std::string& id) const;
  /// An id whose transaction hides what a partition's next owner publishes, though it was known at
  /// `taken_us`: it had committed for the partition, and was in the group no longer. Or nothing.
  std::string left_open(int partition, std::int64_t taken_us) const;
  Answer produce(const std::string& id, int epoch, const Place& place, Entry entry);
  Answer send_offsets(const std::string& id, int epoch, const std::string& member, int generation,
                      const std::map<Input, std::int64_t>& next);
  /// The outcome is decided when it returns; markers and offsets follow one by one.
  Answer end_transaction(const std::string& id, int epoch, bool commit);

  // The group.
  bool is_incremental() const { return incremental_; }
  /// A static member with the instance id of another takes its place; with incremental rebalances
  /// members are dynamic, and the one before has its partitions until its session is over. Gives
  /// the member id.
  std::string join(const std::string& instance, const std::shared_ptr<Process>& process);
  void rejoin(const std::string& member);
  const Member* member(const std::string& id) const;
  const Member* holder_of(const std::string& instance) const;
  /// Of incremental rebalances. `owned`: what the member says that it has, where it says so.
  /// Nothing when it is no member.
  std::optional<Told> heartbeat(const std::string& member, const std::set<int>* owned);
  /// A member with this instance id, but not this member id.
  const Member* other_of(const std::string& instance, const std::string& not_this) const;
  bool rebalancing() const { return rebalancing_; }
  int generation() const { return generation_; }
  void drop(const std::string& member);
  /// Offsets outside a transaction.
  Answer commit(const std::string& member, int generation,
                const std::map<Input, std::int64_t>& next);
  /// Nothing while a transaction that has something to say about it is not over.
  std::optional<std::int64_t> committed(const Input& input) const;
  std::int64_t committed_so_far(const Input& input) const;
  /// What was committed before the last commit of its partition; nothing where there is none.
  std::optional<std::int64_t> committed_before(const Input& input) const;
  /// The transactional id of the last commit; empty where there is none.
  std::string committer(const Input& input) const;
  /// With what is decided to be committed and does not show yet.
  std::int64_t decided(const Input& input) const;

  /// One of the things that brokers do by themselves; false when there is none to do now.
  bool work();
  bool has_work() const;

 private:
  struct Transaction {
    int epoch = 0;
    std::uint64_t number = 0;  // 0: none is open
    bool ending = false, commit = false;
    std::int64_t began_us = 0;
    std::set<Place> places;                 // where it has written and no marker stands yet
    std::map<Input, std::int64_t> offsets;  // sent and not yet applied
  };
  Transaction* current(const std::string& id, int epoch);
  void apply(const std::map<Input, std::int64_t>& next);
  static void begin_end(Transaction& transaction, bool commit);
  void begin_rebalance();
  void settle_rebalance();
  /// New targets of all, that move as little as can be.
  void share_out();
  void reconcile(Member& member);
  bool is_free(int partition) const;
  bool is_current(const std::string& member, int generation) const;
  bool is_expired(const Member& member) const;

  Scheduler& scheduler_;
  const int partitions_;
  const bool incremental_;
  std::map<Place, Log> logs_;
  std::map<std::string, Transaction> transactions_;  // by transactional id
  std::uint64_t last_transaction_ = 0;
  std::map<Input, std::int64_t> committed_;
  std::map<int, std::map<Input, std::int64_t>> committed_before_;  // by partition
  std::map<Input, std::string> committers_;
  std::map<std::string, std::int64_t> left_us_;  // when an instance was last seen in the group
  std::map<std::string, Member> members_;
  bool rebalancing_ = false;
  std::int64_t rebalance_until_us_ = 0;
  int generation_ = 0;  // with incremental rebalances: the epoch of the targets
  int last_member_ = 0;
};

}  // namespace tidemark::simulation
