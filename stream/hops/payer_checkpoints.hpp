// The checkpoints of payers: begun between two transactions, published behind the commit, restored
// when a partition is taken. In the store of the configuration, under the stage's own group. The
// hop's thread, but for what a commit settles.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "stream/checkpoint/writer.hpp"
#include "stream/hops/payer_lane.hpp"

namespace tidemark {

/// Why a checkpoint is none of payers for this configuration and for what the stage's group has
/// committed; empty when it is one.
std::string unfit_for_payers(const CheckpointManifest& manifest, const Config& config,
                             const FeaturePlan& plan, std::int64_t committed);
/// A lane with the state of a manifest, its hash compared. Throws RunError for chunks that are
/// missing or broken, for a state with another hash and for one that does not fit.
std::unique_ptr<PayerLane> restore_payers(const CheckpointStore& store, const std::string& folder,
                                          const CheckpointManifest& manifest, const Config& config,
                                          const std::shared_ptr<const FeaturePlan>& plan,
                                          ThreadPool& pool);

class PayerCheckpoints {
 public:
  /// `kafka` is the stage's own (hop_settings()).
  PayerCheckpoints(const Config& config, const KafkaSettings& kafka,
                   std::shared_ptr<const FeaturePlan> plan, std::unique_ptr<CheckpointStore> store);

  /// A partition begins: a lane from the newest checkpoint that fits and is whole, and the offset
  /// it stands at; where there is none an empty one and 0. Each that is passed over is logged.
  struct Opened {
    std::unique_ptr<PayerLane> lane;
    std::int64_t next = 0;
  };
  Opened open(int partition, std::int64_t committed, ThreadPool& pool);
  /// Its last checkpoint is what begin() makes next: the partition is about to be another's.
  void leave(int partition) { writer_.leave(partition); }
  void close(int partition);

  /// Copies what has changed when a checkpoint is due, or `at_once`. Call when the state holds all
  /// below `next`, before the transaction that commits it ends; what is returned is to be called
  /// behind that commit, on any thread. Empty where none was begun.
  std::function<void()> begin(int partition, PayerLane& lane, std::int64_t next, bool at_once);
  /// Waits until what was begun and committed is stored.
  void settle() { writer_.settle(); }

 private:
  struct Course {
    std::uint64_t generation = 0;  // the last one begun, by whomever
    bool whole = false;            // the next one has to hold everything
    std::chrono::steady_clock::time_point begun_at;
  };

  const Config& config_;
  const std::string group_;
  std::shared_ptr<const FeaturePlan> plan_;
  std::unique_ptr<CheckpointStore> store_;
  CheckpointWriter writer_;
  std::map<int, Course> courses_;
};

}  // namespace tidemark
