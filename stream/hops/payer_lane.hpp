// The payers of one partition of the topic that is keyed by them: their windows, and the ids of the
// events that are in them. State after a record is a pure function of the records up to it, in the
// order of the log. One thread, which spreads work over a pool.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "features/id_table.hpp"
#include "features/payer_table.hpp"
#include "kernels/data/event_batch.hpp"
#include "kernels/data/feature_matrix.hpp"
#include "stream/checkpoint/chunk.hpp"
#include "stream/pipeline/config.hpp"

namespace tidemark {

/// Which events of a payer were seen within the horizon of duplicates, behind the payer's own
/// clock.
class PayerEvents {
 public:
  explicit PayerEvents(const Config& config);
  /// Takes the event of a row of the payer at `slot`. False when the payer had it at that merchant
  /// already. Throws RunError when the table is full, naming the setting.
  bool take(const EventBatch& rows, std::size_t row, std::uint32_t slot);

  std::int64_t clock_ms(std::uint32_t slot) const { return clock_ms_[slot]; }
  /// From now on, ids that are taken are listed until somebody takes the list.
  void list_ids() { lists_ = true; }
  std::vector<IdEntry> take_listed() { return std::exchange(listed_, {}); }
  std::vector<IdEntry> live_ids() const;
  /// Into a table without events: clocks first, then the ids, in any order.
  void begin_restore(std::uint32_t payers, std::uint64_t ids);
  void restore_clock(std::uint32_t slot, std::int64_t clock_ms) { clock_ms_[slot] = clock_ms; }
  void restore_id(const IdEntry& id);

 private:
  void insert(const IdEntry& id);
  bool is_live(std::uint32_t slot, std::int64_t time_ms) const {
    return time_ms >= clock_ms_[slot] - horizon_ms_;
  }

  std::uint64_t events_max_;
  std::int64_t horizon_ms_;
  std::vector<std::int64_t> clock_ms_;  // [slot]: the largest event time of a payer
  IdTable ids_;
  bool lists_ = false;
  std::vector<IdEntry> listed_;
};

class PayerLane {
 public:
  PayerLane(const std::shared_ptr<const FeaturePlan>& plan, const Config& config);

  /// Takes payments in the order of the log, as Intake gives them: a payment that is well and has a
  /// payer is counted, its duplicate is not. Both have features, as of just then.
  void take(EventBatch& rows, Segmenter& segmenter, ThreadPool& pool);
  /// Of the last batch: a row of the plan's matrix in which the payer's columns are set, or nothing
  /// for a payment without features.
  std::span<const float> features(std::size_t row) const;

  std::uint32_t payers() const { return table_.size(); }
  /// Of all payers' windows, whatever the batches.
  std::uint64_t state_hash() { return table_.state_hash(); }

  /// Takes entries of one kind.
  using Give = std::function<void(ChunkKind kind, std::string entries, std::size_t count)>;
  /// From now on, what changes is remembered for save_changes().
  void remember_changes();
  /// Gives out what has changed since the last call, or with `whole` all there is.
  void save_changes(bool whole, const Give& give);
  /// Into a lane that took nothing: so many payers and ids; payers, each once and from any thread;
  /// end_payers(); ids. Throw MalformedBytes, and RunError where a capacity does not suffice.
  void begin_restore(std::uint32_t payers, std::uint64_t ids);
  void restore_payer(std::uint32_t slot, ByteReader& from);
  void end_payers() { table_.end_restore(); }
  void restore_id(const IdEntry& id) { events_.restore_id(id); }

 private:
  void mark_changed(std::uint32_t slot);

  std::size_t columns_;
  PayerTable table_;
  PayerEvents events_;
  std::vector<std::uint32_t> matrix_row_;
  FeatureMatrix matrix_;
  bool remembers_ = false;
  std::vector<std::uint32_t> changed_;      // slots
  std::vector<std::uint8_t> changed_flag_;  // [slot]: is among them
};

}  // namespace tidemark
