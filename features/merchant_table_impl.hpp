// The inside of MerchantTable, shared by its two sources: admission (merchant_table.cpp) and
// windows (merchant_windows.cpp). Not for other folders.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "features/id_table.hpp"
#include "features/merchant_hot.hpp"
#include "features/merchant_table.hpp"
#include "features/record_pages.hpp"
#include "features/window_pass.hpp"
#include "kernels/base/civil_time.hpp"
#include "kernels/window/read_body.hpp"

namespace tidemark {

struct MerchantTable::Impl {
  static constexpr std::uint32_t page_shift = RecordPages::page_shift;
  static constexpr std::uint32_t page_merchants = RecordPages::page_records;
  using HotPage = std::unique_ptr<MerchantHot[]>;

  Impl(std::shared_ptr<const FeaturePlan> plan_in, const MerchantTableOptions& options_in);

  MerchantHot& hot(std::uint32_t slot) {
    return hot_pages[slot >> page_shift][slot & (page_merchants - 1)];
  }
  const MerchantHot& hot(std::uint32_t slot) const {
    return hot_pages[slot >> page_shift][slot & (page_merchants - 1)];
  }
  unsigned char* record(std::uint32_t slot) const { return records.at(slot); }

  // Admission.
  std::uint32_t find(std::uint64_t hash, std::string_view id) const;
  std::uint32_t make_merchant(std::uint64_t hash, std::string_view id);
  void admit_block(EventBatch& batch, const std::uint32_t* rows, std::size_t count,
                   const RateTable* rates);
  void admit_row(EventBatch& batch, std::size_t row, std::uint32_t slot, std::uint64_t id_key,
                 const RateTable* rates);
  bool is_duplicate(const MerchantHot& merchant, std::uint64_t id_key);
  void remember_id(std::uint64_t id_key, std::int64_t time_ms, std::uint32_t slot);
  const Zone& zone_of(const EventBatch& batch, std::size_t row) const;
  void add_slot();
  void set_id(MerchantHot& merchant, std::string_view id);
  bool is_live(std::uint32_t slot, std::int64_t time_ms) const {
    return time_ms >= hot(slot).clock_ms - options.dedup_horizon_ms;
  }

  // Windows.
  void apply_group(const EventBatch& batch, std::span<const std::uint32_t> rows,
                   unsigned char* merchant, const ReadTarget& target);
  void apply_profile(const EventBatch& batch, std::size_t row, unsigned char* merchant);
  /// Notes the peers that a profile makes a merchant's, where the plan has tables.
  void set_group(unsigned char* merchant, std::string_view industry,
                 std::string_view region) const {
    if (view.group_offset == 0) return;
    field_at<std::uint64_t>(merchant, view.group_offset) = plan->groups().of(industry, region);
  }

  std::shared_ptr<const FeaturePlan> plan;
  WindowPlanView view;
  MerchantTableOptions options;
  const Zone* default_zone = nullptr;
  std::int64_t surely_on_time_ms = 0;  // an event no older than this is never too late
  std::uint32_t size = 0;
  SlotIndex index;
  IdTable ids;
  std::vector<HotPage> hot_pages;
  RecordPages records;
  std::vector<std::unique_ptr<MerchantProfile>> profiles;
  std::vector<std::unique_ptr<char[]>> long_ids;
  std::size_t long_id_bytes = 0;
  std::mutex long_ids_mutex;  // while restoring; admission is alone
  bool lists_ids = false;
  std::vector<AcceptedId> accepted_ids;  // where they are listed, since they were last taken
  WindowPass::Scratch scratch;
};

/// Avalanche of 64 bits (the finalizer of MurmurHash3 by Austin Appleby, public domain).
constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

}  // namespace tidemark
