// Checkpointer: when a partition is due, what of it is handed to the writer, and what belongs
// together. The engine's thread calls it between batches; it copies a little at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "stream/checkpoint/writer.hpp"
#include "stream/kafka/consumer.hpp"
#include "stream/pipeline/config.hpp"
#include "stream/pipeline/lane.hpp"
#include "stream/pipeline/restore.hpp"

namespace tidemark {

/// The store that a configuration names, with these settings where it is a topic; null where it
/// names none. Makes nothing yet.
std::unique_ptr<CheckpointStore> open_checkpoint_store(const Config& config,
                                                       const KafkaSettings& kafka);

class Checkpointer {
 public:
  Checkpointer(const Config& config, std::shared_ptr<const FeaturePlan> plan,
               std::unique_ptr<CheckpointStore> store);

  const CheckpointStore& store() const { return *store_; }
  /// A lane begins to serve: from `restored`, or with all of its state in no checkpoint yet.
  void open(Lane& lane, std::optional<CheckpointManifest> restored);
  /// Before the last ones of a partition that is given up.
  void leave(int partition) { writer_.leave(partition); }
  void close(int partition);

  /// A checkpoint that was begun, to be told of when its transaction is committed.
  struct Begun {
    int partition = 0;
    std::uint64_t generation = 0;
    SourceOffsets next{};
  };
  /// Begins one of the state as it is, when it is due (or `at_once`) and the one before is done.
  /// Call between two transactions, with what the committed one will leave: `next` offsets.
  std::optional<Begun> begin(Lane& lane, const SourceOffsets& next, const std::string& release,
                             bool at_once);
  /// Copies some more of a checkpoint under way.
  void advance(Lane& lane);
  /// Copies all that is left.
  void finish(Lane& lane);
  /// The transaction is committed. Any thread.
  void committed(const Begun& begun, std::int64_t journal_next) {
    writer_.committed(begun.partition, begun.generation, journal_next);
  }
  /// Waits for the writer.
  void settle() { writer_.settle(); }

  std::optional<CheckpointWriter::Status> status(int partition) const {
    return writer_.status(partition);
  }

 private:
  struct Course {
    std::uint64_t generation = 0;  // the last one begun, by whomever
    bool whole = false;            // the next one has to list all ids
    std::chrono::steady_clock::time_point begun_at;
    std::optional<CheckpointManifest> head;  // of the one under way
  };
  void hand_over_ids(Lane& lane, Course& course, std::size_t least);
  void give_ids(int partition, std::uint64_t generation, const std::vector<AcceptedId>& ids);

  const Config& config_;
  std::shared_ptr<const FeaturePlan> plan_;
  std::unique_ptr<CheckpointStore> store_;
  CheckpointWriter writer_;
  std::map<int, Course> courses_;
};

}  // namespace tidemark
