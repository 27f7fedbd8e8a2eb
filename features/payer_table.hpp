// The payers of one order of events: windows over what each pays, at whatever merchant. A payer is
// the 64-bit hash of its id. Owned by one lane; apply() runs on the lane's thread and spreads over
// a pool. It decides no outcome: it sees what the merchant table has scored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "features/plan.hpp"
#include "features/record_pages.hpp"
#include "features/slot_index.hpp"
#include "features/state_hash_sum.hpp"
#include "features/window_pass.hpp"
#include "kernels/base/byte_codec.hpp"
#include "kernels/base/civil_time.hpp"

namespace tidemark {

struct PayerTableOptions {
  std::uint32_t payers_max = 0;      // capacity.payers_max
  std::string default_zone = "UTC";  // IANA name of the zone of every payer's days
};

class PayerTable {
 public:
  /// `plan` must have payer features. Throws UsageError for a zone that does not exist.
  PayerTable(std::shared_ptr<const FeaturePlan> plan, const PayerTableOptions& options);

  /// Brings every scored row into its payer's windows, in order, and writes the payer features of
  /// row r, just after it, to matrix row matrix_row[r]. They are NaN where there is no payer, where
  /// the payers have no events of that source, or where the event is in another currency than the
  /// payer's first: such an event is in none of its windows. A duplicate with a row of the matrix
  /// is read and not counted. Throws RunError when the table is full, naming the setting.
  void apply(const EventBatch& batch, std::span<const std::uint32_t> matrix_row,
             FeatureMatrix& matrix, Segmenter& segmenter, ThreadPool& pool);

  /// The slot of a payer, a new one where it has none yet. Slots count from 0 in the order in which
  /// payers come. Throws RunError as apply() does.
  std::uint32_t slot_of(std::uint64_t payer_hash);

  /// Of the last batch: payers by row (no_slot where there is none), and its rows by payer.
  std::span<const std::uint32_t> slots() const { return slots_; }
  const Segments& segments() const { return segments_; }

  std::uint32_t size() const { return static_cast<std::uint32_t>(hashes_.size()); }
  /// Of all payers' states, independent of slots, capacity and batch split. Costs one hash for each
  /// payer that has paid since the last call.
  std::uint64_t state_hash();
  /// The windows' record as it lies in memory.
  std::span<const unsigned char> record(std::uint32_t slot) const {
    return {records_.at(slot), view_.record_bytes};
  }
  std::size_t bytes() const { return records_.bytes() + index_.bytes(); }

  /// A payer as bytes that any process reads back.
  void save(std::uint32_t slot, ByteWriter& out) const;
  /// Into a table without payers: as many slots, restore() of each once and from any thread, then
  /// end_restore(). Throw MalformedBytes; begin_restore() RunError when they do not fit.
  void begin_restore(std::uint32_t payers);
  void restore(std::uint32_t slot, ByteReader& from);
  void end_restore();

 private:
  void require_room(std::uint32_t payers) const;
  /// Serial: finds or makes the payers of a batch.
  void admit(const EventBatch& batch, std::span<const std::uint32_t> matrix_row);

  std::shared_ptr<const FeaturePlan> plan_;
  const WindowPlanView& view_;
  PayerTableOptions options_;
  const Zone* zone_ = nullptr;
  SlotIndex index_;
  RecordPages records_;
  std::vector<std::uint64_t> hashes_;  // [slot] of the payer's id
  StateHashSum states_;
  std::vector<std::uint32_t> slots_;  // [row] of the batch, no_slot = none
  Segments segments_;                 // of them
  WindowPass::Scratch scratch_;
};

/// Bytes that one more payer takes.
std::size_t bytes_per_payer(const FeaturePlan& plan);
/// How payers' records lie in memory, as one number.
std::uint64_t payer_layout(const FeaturePlan& plan);
/// Sets the payer features of a row of the matrix to NaN.
void write_no_payer(const FeaturePlan& plan, std::span<float> row);

}  // namespace tidemark
