// The merchants of one partition: who they are, their clocks, the event ids seen and the windows.
// Owned by one lane. admit() runs on the lane's thread; apply() spreads over a pool; nothing here
// knows Kafka, JSON or models. One table never refers to another, so partitions move freely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "features/merchant_hot.hpp"
#include "features/plan.hpp"
#include "features/rate_table.hpp"
#include "kernels/base/byte_codec.hpp"
#include "kernels/data/event_batch.hpp"
#include "kernels/data/feature_matrix.hpp"
#include "kernels/runtime/thread_pool.hpp"
#include "kernels/window/segment.hpp"

namespace tidemark {

struct MerchantTableOptions {
  std::uint32_t merchants_max = 0;     // capacity.merchants_max
  std::uint64_t dedup_events_max = 0;  // capacity.dedup_events_max
  std::int64_t dedup_horizon_ms = 48LL * 3600 * 1000;
  std::string default_zone = "UTC";  // IANA name, for merchants whose profile names none
};

/// What merchants.v1 says of a merchant; all empty before its first record and after a tombstone.
struct MerchantProfile {
  CurrencyCode currency = 0;
  std::string industry, region, time_zone;
  std::int64_t opened_at_ms = no_time;
  std::vector<ProfileInput> inputs;
};

/// An event id that was accepted, as the table of duplicates keeps it.
struct AcceptedId {
  std::uint64_t key = 0;
  std::int64_t time_ms = 0;
  std::uint32_t slot = 0;  // of the merchant
  std::uint32_t zero = 0;
};

class MerchantTable {
 public:
  /// Throws UsageError for a default zone that does not exist.
  MerchantTable(std::shared_ptr<const FeaturePlan> plan, const MerchantTableOptions& options);
  ~MerchantTable();
  MerchantTable(const MerchantTable&) = delete;
  MerchantTable& operator=(const MerchantTable&) = delete;

  /// Serial, in sequence order, rows [first, first + count). Finds or makes the slot of every row
  /// that is `pending`, decides its outcome (dead_lettered no_rate, duplicate, late, else scored or
  /// applied) and moves the merchant's clock. Only scored and applied rows get a slot. Rows with
  /// another outcome are skipped. Control rows must not be among them. An accepted amount in
  /// another currency than the merchant's is, with its currency, what `rates` makes of it from here
  /// on. Throws RunError when the table or the id table is full, naming the setting.
  void admit(EventBatch& batch, std::size_t first, std::size_t count,
             const RateTable* rates = nullptr);

  /// Parallel over groups: brings every scored or applied row of `segments` into its merchant's
  /// windows, in order, and writes the features of row r, just after it, to matrix row
  /// matrix_row[r] (UINT32_MAX: none). The matrix must have plan().names().size() features.
  void apply(const EventBatch& batch, const Segments& segments,
             std::span<const std::uint32_t> matrix_row, FeatureMatrix& matrix, ThreadPool& pool);

  /// Makes the profile (or tombstone) of `row` the one that profile(slot) returns. The caller does
  /// it when its own walk over a segment reaches that row, so that rows before it are decided under
  /// the profile before it, whatever the batch size. Different slots may run concurrently. Windows,
  /// currency and zone do not wait for this call.
  void adopt_profile(std::uint32_t slot, const EventBatch& batch, std::size_t row);

  /// One row without an event, for a sweep: windows at max(clock, at_ms). Changes nothing; may run
  /// concurrently for any slots, but not beside apply() of the same slot.
  void read_out(std::uint32_t slot, std::int64_t at_ms, std::span<float> out) const;

  std::uint32_t size() const;
  /// Slot of a merchant, or no_slot.
  std::uint32_t find(std::string_view merchant_id) const;
  std::string_view merchant_id(std::uint32_t slot) const;
  /// The profile's currency, else that of the first accepted event that had one, else 0.
  CurrencyCode currency(std::uint32_t slot) const;
  /// Largest event time applied, as of the last admit().
  std::int64_t clock_ms(std::uint32_t slot) const;
  const MerchantProfile& profile(std::uint32_t slot) const;
  /// True when a sum, count or sketch of this merchant hit its ceiling; it stays there, never
  /// wraps.
  bool saturated(std::uint32_t slot) const;
  /// True when this merchant has had more open invoices than are held: payments of those that gave
  /// way have no days to pay.
  bool forgot_invoice(std::uint32_t slot) const;

  /// Of the merchant's id and whole state, after apply() and adopt_profile(): independent of slot
  /// numbers, capacities and batch split. Event ids enter as a digest of all that were accepted.
  std::uint64_t hash(std::uint32_t slot) const;

  /// The windows' record as it lies in memory.
  std::span<const unsigned char> record(std::uint32_t slot) const;

  // A merchant's state as bytes that another process understands, for checkpoints.

  /// The admission's side of a merchant, which admit() changes before anyone knows whom it meets:
  /// to be copied for all merchants at the instant that save() shall speak of.
  const MerchantHot& hot(std::uint32_t slot) const;
  /// Appends the merchant with the admission's side of before and everything else as it is now.
  void save(std::uint32_t slot, const MerchantHot& hot, ByteWriter& out) const;
  /// Makes slots [0, size) of an empty table, each to be given to restore() once, and room for so
  /// many ids.
  void begin_restore(std::uint32_t size, std::uint64_t ids);
  /// What save() wrote. Any thread, different slots. Throws MalformedBytes.
  void restore(std::uint32_t slot, ByteReader& from);
  /// From here on merchants are found by their ids. Throws MalformedBytes where a slot has no
  /// merchant or two have one.
  void end_restore();
  /// Keeps a list of the ids accepted from now on, for take_accepted_ids().
  void list_accepted_ids();
  /// Those accepted since the last call. Empty when nothing is listed.
  std::vector<AcceptedId> take_accepted_ids();
  std::size_t accepted_ids_waiting() const;
  /// All ids that are held and within the horizon. Copies them: slow for many millions.
  std::vector<AcceptedId> live_ids() const;
  /// Makes an id known again, after end_restore() and in any order. Throws RunError when the table
  /// of ids is full, MalformedBytes for a slot that is not there.
  void restore_id(const AcceptedId& id);

  const FeaturePlan& plan() const;
  /// Event ids held now (expired ones may be among them until the next clean-up).
  std::uint64_t dedup_events() const;
  /// Bytes allocated now.
  std::size_t bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Hash of where the plan keeps what in a record: bytes of one layout mean nothing in another.
std::uint64_t record_layout(const FeaturePlan& plan);

/// The bound of memory that a configuration asks for, printed before the start.
struct MemoryPlan {
  std::size_t merchants_bytes = 0;
  std::size_t dedup_bytes = 0;
};
MemoryPlan memory_plan(const FeaturePlan& plan, const MerchantTableOptions& options);

}  // namespace tidemark
