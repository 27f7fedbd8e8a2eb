// A lane: all that one partition number owns. Its sources meet here, its merchants live here, its
// outcomes are counted here. One engine works on it at a time; lanes share nothing, so a lane can
// be dropped and rebuilt by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "features/merchant_table.hpp"
#include "features/payer_table.hpp"
#include "features/state_hash_sum.hpp"
#include "kernels/base/civil_time.hpp"
#include "kernels/data/decision.hpp"
#include "stream/kafka/journal.hpp"
#include "stream/pipeline/accounting.hpp"
#include "stream/pipeline/dead_letter_window.hpp"
#include "stream/pipeline/lane_snapshot.hpp"
#include "stream/pipeline/merge.hpp"

namespace tidemark {

/// A temporary policy for a region or sector (rule R40): multiplies limits there.
struct Overlay {
  std::string region, industry;  // empty = all
  double factor = 1;
  bool operator<(const Overlay& other) const {
    return std::tie(region, industry) < std::tie(other.region, other.industry);
  }
};

/// Of scored payments with a payer, since the lane was made: whether they came with its features.
struct PayerHeaderCounts {
  std::uint64_t read = 0, missing = 0, foreign = 0;
};

class Lane {
 public:
  /// With `payers_max` 0 the payers' windows are kept elsewhere.
  Lane(int partition, const std::shared_ptr<const FeaturePlan>& plan,
       const MerchantTableOptions& options, std::uint32_t payers_max,
       std::chrono::milliseconds merge_idle, std::uint64_t dead_letters_of_last)
      : partition_(partition),
        default_zone_(find_zone(options.default_zone)),
        merge(merge_idle),
        table(plan, options),
        dead_letters(dead_letters_of_last) {
    if (plan->has_payers() && payers_max > 0) {
      payers.emplace(plan, PayerTableOptions{payers_max, options.default_zone});
    }
  }

  int partition() const { return partition_; }

  /// Brings `decisions` and the bookkeeping to the table's size; pending freezes find their new
  /// merchants. Call after every admit().
  void adopt_new_merchants();
  /// Makes the profile of `row` the one that decisions see from here on. Any thread, one a slot.
  void adopt_profile(std::uint32_t slot, const EventBatch& rows, std::size_t row);
  /// Day number of an instant in the zone of the merchant's adopted profile.
  std::int32_t local_day(std::uint32_t slot, std::int64_t at_ms) const {
    const ZoneView& zone = zones_[slot]->view();
    return day_of_local_ms(at_ms + zone_offset_ms(zone, at_ms));
  }
  /// The merchant's state is about to change: its hash is stale, and a snapshot that has not come
  /// to it takes it now. Admission and decisions may have changed it already.
  void touch(std::uint32_t slot) {
    if (snapshot_.waits_for(slot)) snapshot_.take(*this, slot);
    merchants_.touch(slot);
  }
  /// Hash of the whole lane: merchants, decisions, tick, freezes and overlays. Independent of slot
  /// numbers and of how the input was split. Costs one hash per merchant touched since the last.
  std::uint64_t state_hash();
  /// Product of the overlays that fit.
  double overlay_factor(const MerchantProfile& profile) const;

  /// Begins to hand out, as they are now, the merchants that changed since the last snapshot began
  /// (all of them at first); whatever is left of that one is dropped. Call after state_hash().
  void begin_snapshot(LaneSnapshot::Give give);
  LaneSnapshot& snapshot() { return snapshot_; }
  /// All merchants belong to the next snapshot: the chunks of those before it are lost.
  void forget_snapshots();

  /// What of the lane is no merchant's: ticks, freezes, overlays, counts, merge times.
  void save_rest(ByteWriter& out) const;
  /// Throws MalformedBytes.
  void restore_rest(ByteReader& from);
  /// Appends the merchant's decisions to what the table saved of it; and back.
  static void save_decisions(const DecisionState& state, ByteWriter& out);
  /// Makes room for restore_merchant() of slots [0, size), and for so many event ids.
  void begin_restore(std::uint32_t size, std::uint64_t ids);
  /// Any thread, different slots. Throws MalformedBytes.
  void restore_merchant(std::uint32_t slot, ByteReader& from);
  /// All merchants are there: their hashes are worked out on the pool, and nothing counts as
  /// changed. Throws MalformedBytes.
  void end_restore(ThreadPool& pool);

 private:
  void find_zone_of(std::uint32_t slot);
  std::uint64_t hash_of(std::uint32_t slot) const;

  int partition_;
  const Zone* default_zone_;
  std::vector<const Zone*> zones_;  // [slot]
  StateHashSum merchants_;
  std::vector<std::uint32_t> changed_;  // since the last snapshot began
  std::vector<std::uint8_t> changed_flag_;
  LaneSnapshot snapshot_;

 public:
  SourceMerge merge;
  MerchantTable table;
  std::optional<PayerTable> payers;                    // in replay of files, where the spec has any
  PayerHeaderCounts payer_headers;                     // elsewhere: what the records brought
  std::vector<DecisionState> decisions;                // [slot]
  std::optional<std::int64_t> tick_ms;                 // the last tick that was passed
  bool frozen = false;                                 // all merchants, by control event
  std::set<std::string, std::less<>> freezes_waiting;  // merchants frozen before their first event
  std::set<Overlay> overlays;
  std::int64_t control_next = 0;   // next offset of control.v1 to take in
  SourceCounts counts{};           // since the start of the log
  DeadLetterWindow dead_letters;   // of its last records
  JournalRecord journal;           // since the last commit
  std::uint64_t journal_rows = 0;  // rows in it
};

}  // namespace tidemark
