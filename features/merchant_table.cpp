// Admission: which merchant a row belongs to and what becomes of the row. Serial by nature, because
// a duplicate is the second of two; so it touches little memory, and asks for it a block ahead.
#include "features/merchant_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "features/merchant_table_impl.hpp"
#include "features/table_file.hpp"
#include "kernels/base/currency.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

// Rows whose memory is asked for together: enough to hide a miss, few enough for the first level.
constexpr std::size_t block_rows = 32;

// Milliseconds that every tier's reach exceeds in any zone, counted in its shortest buckets.
std::int64_t surely_on_time(const WindowPlanView& plan) {
  constexpr std::int64_t shortest_ms[tier_count] = {ms_per_minute, ms_per_hour, 23 * ms_per_hour,
                                                    7 * 23 * ms_per_hour, 28 * 23 * ms_per_hour};
  std::int64_t reach_ms = 0;
  for (int tier = 0; tier < tier_count; ++tier) {
    reach_ms = std::max(reach_ms, (plan.tier_buckets[tier] - 3) * shortest_ms[tier]);
  }
  return reach_ms;
}

std::uint64_t id_key_of(const EventBatch& batch, std::size_t row) {
  if (batch.event_id_hash[row] == 0) return 0;
  const std::uint64_t source = static_cast<std::uint64_t>(batch.source[row]) + 1;
  const std::uint64_t key =
      mix_bits(batch.merchant_hash[row] + source) ^ mix_bits(batch.event_id_hash[row]);
  return key == 0 ? 1 : mix_bits(key);
}

/// The amount of a row in the merchant's currency. Without one the row is a dead letter.
std::optional<std::int64_t> amount_in(EventBatch& batch, std::size_t row, CurrencyCode currency,
                                      const RateTable* rates) {
  const CurrencyCode own = batch.currency[row];
  if (currency == 0 || currency == own) return batch.amount_minor[row];
  const std::int64_t time_ms = batch.event_time_ms[row];
  const auto rate = rates != nullptr ? rates->find(own, currency, time_ms) : std::nullopt;
  const auto amount =
      rate ? convert_amount(batch.amount_minor[row], exponent_of(own), *rate, exponent_of(currency))
           : std::nullopt;
  if (amount) return amount;
  batch.outcome[row] = Outcome::dead_lettered;
  batch.error[row] = rate ? RowError::amount_overflow : RowError::no_rate;
  const std::string from = currency_letters(own), to = currency_letters(currency);
  const std::string day = day_text(day_of_local_ms(time_ms));
  batch.error_message[row] =
      rate ? fmt::format("amount: more minor units of {} than 64 bits hold, from {} as of {}", to,
                         from, day)
           : fmt::format("currency: there is no rate from {} to the merchant's {} as of {}{}", from,
                         to, day, rates == nullptr ? ", and no table of rates" : "");
  return std::nullopt;
}

}  // namespace

MerchantTable::Impl::Impl(std::shared_ptr<const FeaturePlan> plan_in,
                          const MerchantTableOptions& options_in)
    : plan(std::move(plan_in)),
      view(plan->windows()),
      options(options_in),
      default_zone(find_zone(options_in.default_zone)),
      surely_on_time_ms(surely_on_time(view)),
      ids(options_in.dedup_events_max),
      records(view.record_bytes) {
  if (default_zone == nullptr) {
    throw UsageError(fmt::format("default time zone '{}' is not in the machine's IANA data",
                                 options.default_zone));
  }
}

std::uint32_t MerchantTable::Impl::find(std::uint64_t hash, std::string_view id) const {
  return index.find(hash, [&](std::uint32_t slot) { return hot(slot).id_view() == id; });
}

std::uint32_t MerchantTable::Impl::make_merchant(std::uint64_t hash, std::string_view id) {
  if (size == options.merchants_max) {
    throw RunError(fmt::format(
        "the merchant table is full: capacity.merchants_max is {} per partition; raise it (one "
        "more merchant takes {} bytes) or use more partitions",
        options.merchants_max, plan->bytes_per_merchant()));
  }
  const std::uint32_t slot = size;
  add_slot();
  MerchantHot& merchant = hot(slot);
  merchant.zone = default_zone->id();
  set_id(merchant, id);
  field_at<RecordHead>(record(slot), 0).zone = default_zone->id();
  index.insert(hash, slot);
  return slot;
}

void MerchantTable::Impl::add_slot() {
  if ((size & (page_merchants - 1)) == 0) {
    records.add_page();
    hot_pages.push_back(std::make_unique<MerchantHot[]>(page_merchants));
  }
  profiles.emplace_back();
  ++size;
}

void MerchantTable::Impl::set_id(MerchantHot& merchant, std::string_view id) {
  merchant.id_bytes = static_cast<std::uint32_t>(id.size());
  if (id.size() <= MerchantHot::inline_id_bytes) {
    std::memcpy(merchant.id, id.data(), id.size());
    return;
  }
  auto copy = std::make_unique<char[]>(id.size());
  const char* const text = copy.get();
  std::memcpy(copy.get(), id.data(), id.size());
  std::memcpy(merchant.id, &text, sizeof(text));
  const std::lock_guard lock(long_ids_mutex);
  long_ids.push_back(std::move(copy));
  long_id_bytes += id.size();
}

const Zone& MerchantTable::Impl::zone_of(const EventBatch& batch, std::size_t row) const {
  if (batch.type[row] == EventType::profile && batch.profile_index[row] != no_profile) {
    const Profile& profile = batch.profiles[static_cast<std::size_t>(batch.profile_index[row])];
    if (!profile.time_zone.empty()) {
      const Zone* zone = find_zone(profile.time_zone);  // the parser has refused unknown names
      if (zone != nullptr) return *zone;
    }
  }
  return *default_zone;
}

bool MerchantTable::Impl::is_duplicate(const MerchantHot& merchant, std::uint64_t id_key) {
  if (id_key == 0 || !merchant.started) return false;
  const std::int64_t* accepted_ms = ids.find(id_key);
  return accepted_ms != nullptr && *accepted_ms >= merchant.clock_ms - options.dedup_horizon_ms;
}

void MerchantTable::Impl::remember_id(std::uint64_t id_key, std::int64_t time_ms,
                                      std::uint32_t slot) {
  if (!is_live(slot, time_ms)) return;  // born expired: it could never be found again
  if (lists_ids) accepted_ids.push_back({id_key, time_ms, slot, 0});
  if (std::int64_t* known_ms = ids.find(id_key)) {  // an expired id that came again
    *known_ms = std::max(*known_ms, time_ms);
    return;
  }
  const auto prefetch = [&](std::uint32_t owner) { __builtin_prefetch(&hot(owner)); };
  const auto live = [&](std::uint32_t owner, std::int64_t at_ms) { return is_live(owner, at_ms); };
  if (!ids.has_room() && !ids.make_room(prefetch, live)) {
    throw RunError(fmt::format(
        "the table of event ids is full: capacity.dedup_events_max is {} per partition and as many "
        "ids are within the duplicate horizon; raise it or shorten the horizon",
        options.dedup_events_max));
  }
  ids.insert(id_key, time_ms, slot);
}

void MerchantTable::Impl::admit_row(EventBatch& batch, std::size_t row, std::uint32_t slot,
                                    std::uint64_t id_key, const RateTable* rates) {
  const bool tombstone = batch.type[row] == EventType::tombstone;
  if (slot == no_slot || hot(slot).id_view() != batch.merchant_id[row]) {
    slot = find(batch.merchant_hash[row], batch.merchant_id[row]);
    if (slot == no_slot && tombstone) {
      batch.outcome[row] = Outcome::applied;  // there is no profile to take away
      return;
    }
    if (slot == no_slot) slot = make_merchant(batch.merchant_hash[row], batch.merchant_id[row]);
  }
  MerchantHot& merchant = hot(slot);
  const bool scored = is_scored_source(batch.source[row]);
  const auto amount_minor = amount_in(batch, row, scored ? merchant.currency() : 0, rates);
  if (!amount_minor) return;
  if (is_duplicate(merchant, id_key)) {
    batch.outcome[row] = Outcome::duplicate;
    return;
  }
  // A tombstone says nothing but its key: it happens at the merchant's clock and never moves it.
  if (tombstone) batch.event_time_ms[row] = merchant.clock_ms;
  const bool is_profile = batch.source[row] == Source::merchants;
  const std::int64_t time_ms = batch.event_time_ms[row];
  const Zone& zone = is_profile ? zone_of(batch, row) : zone_of_id(merchant.zone);
  const std::int32_t day = day_of_local_ms(time_ms + zone_offset_ms(zone.view(), time_ms));
  if (merchant.started && !is_profile && time_ms < merchant.clock_ms - surely_on_time_ms &&
      is_too_late(view, merchant.clock_ms, merchant.day, time_ms, day)) {
    batch.outcome[row] = Outcome::late;
    return;
  }
  if (is_profile) {
    merchant.zone = zone.id();
    merchant.profile_currency =
        batch.type[row] == EventType::profile && batch.profile_index[row] != no_profile
            ? batch.profiles[static_cast<std::size_t>(batch.profile_index[row])].currency
            : 0;
  }
  merchant.clock_ms = merchant.started ? std::max(merchant.clock_ms, time_ms) : time_ms;
  merchant.day = merchant.started ? std::max(merchant.day, day) : day;
  merchant.started = true;
  if (scored) {
    batch.amount_minor[row] = *amount_minor;
    if (merchant.currency() != 0) batch.currency[row] = merchant.currency();
    if (merchant.first_currency == 0) merchant.first_currency = batch.currency[row];
  }
  merchant.accepted_digest += mix_bits(id_key ^ mix_bits(static_cast<std::uint64_t>(time_ms)));
  if (id_key != 0) remember_id(id_key, time_ms, slot);
  batch.slot[row] = slot;
  batch.outcome[row] = scored ? Outcome::scored : Outcome::applied;
}

void MerchantTable::Impl::admit_block(EventBatch& batch, const std::uint32_t* rows,
                                      std::size_t count, const RateTable* rates) {
  std::array<std::uint64_t, block_rows> keys;
  std::array<std::uint32_t, block_rows> slots;
  for (std::size_t i = 0; i < count; ++i) {
    keys[i] = id_key_of(batch, rows[i]);
    index.prefetch(batch.merchant_hash[rows[i]]);
    ids.prefetch(keys[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    slots[i] = index.find(batch.merchant_hash[rows[i]], [](std::uint32_t) { return true; });
    if (slots[i] != no_slot) __builtin_prefetch(&hot(slots[i]), 1);
  }
  for (std::size_t i = 0; i < count; ++i) admit_row(batch, rows[i], slots[i], keys[i], rates);
}

MerchantTable::MerchantTable(std::shared_ptr<const FeaturePlan> plan,
                             const MerchantTableOptions& options)
    : impl_(std::make_unique<Impl>(std::move(plan), options)) {}

MerchantTable::~MerchantTable() = default;

void MerchantTable::admit(EventBatch& batch, std::size_t first, std::size_t count,
                          const RateTable* rates) {
  std::array<std::uint32_t, block_rows> rows;
  std::size_t waiting = 0;
  for (std::size_t row = first; row < first + count; ++row) {
    if (batch.outcome[row] != Outcome::pending) continue;
    rows[waiting++] = static_cast<std::uint32_t>(row);
    if (waiting == block_rows) {
      impl_->admit_block(batch, rows.data(), waiting, rates);
      waiting = 0;
    }
  }
  impl_->admit_block(batch, rows.data(), waiting, rates);
}

std::uint32_t MerchantTable::size() const {
  return impl_->size;
}

std::uint32_t MerchantTable::find(std::string_view merchant_id) const {
  return impl_->find(XXH3_64bits(merchant_id.data(), merchant_id.size()), merchant_id);
}

std::string_view MerchantTable::merchant_id(std::uint32_t slot) const {
  return impl_->hot(slot).id_view();
}

CurrencyCode MerchantTable::currency(std::uint32_t slot) const {
  return impl_->hot(slot).currency();
}

std::int64_t MerchantTable::clock_ms(std::uint32_t slot) const {
  return impl_->hot(slot).clock_ms;
}

const FeaturePlan& MerchantTable::plan() const {
  return *impl_->plan;
}

std::uint64_t MerchantTable::dedup_events() const {
  return impl_->ids.size();
}

std::size_t MerchantTable::bytes() const {
  const Impl& all = *impl_;
  const std::size_t hot_bytes = all.hot_pages.size() * Impl::page_merchants * sizeof(MerchantHot);
  return all.records.bytes() + hot_bytes + all.index.bytes() + all.ids.bytes() +
         all.profiles.capacity() * sizeof(void*) + all.long_id_bytes;
}

MemoryPlan memory_plan(const FeaturePlan& plan, const MerchantTableOptions& options) {
  return {options.merchants_max * plan.bytes_per_merchant(),
          IdTable::bytes_max(options.dedup_events_max)};
}

}  // namespace tidemark
