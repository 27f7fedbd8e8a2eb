// A merchant's state as bytes, and back: what checkpoints are made of. Zones are written by name,
// because their numbers are this process's; the rest of a record lies as record_layout() says.
#include <cstring>
#include <utility>

#include "features/merchant_table_impl.hpp"
#include "features/payer_table.hpp"
#include "features/state_hash.hpp"

namespace tidemark {
namespace {

// A restored id, profile text or input list is no longer than the parser lets in.
constexpr std::size_t text_bytes_max = std::size_t{64} << 20;

const Zone& read_zone(ByteReader& from) {
  const std::string_view name = from.text();
  // Neighbours mostly share a zone, and looking one up takes a lock.
  thread_local const Zone* last = nullptr;
  if (last == nullptr || last->name() != name) last = find_zone(name);
  require_bytes(last != nullptr, "names a time zone that this machine does not have");
  return *last;
}

void write_profile(const MerchantProfile* profile, ByteWriter& out) {
  out.byte(profile != nullptr ? 1 : 0);
  if (profile == nullptr) return;
  out.fixed(profile->currency);
  out.text(profile->industry);
  out.text(profile->region);
  out.text(profile->time_zone);
  out.fixed(profile->opened_at_ms);
  out.number(profile->inputs.size());
  for (const ProfileInput& input : profile->inputs) {
    out.text(input.name);
    out.fixed(input.value);
    out.fixed(input.as_of_ms);
  }
}

std::unique_ptr<MerchantProfile> read_profile(ByteReader& from) {
  if (from.number_to(1, "a flag is neither 0 nor 1") == 0) return nullptr;
  auto profile = std::make_unique<MerchantProfile>();
  profile->currency = from.fixed<CurrencyCode>();
  profile->industry = from.text();
  profile->region = from.text();
  profile->time_zone = from.text();
  profile->opened_at_ms = from.fixed<std::int64_t>();
  // An input takes 17 bytes at least, so a count that lies is seen before memory is asked for.
  profile->inputs.resize(from.number_to(from.left() / 17, "count is larger than the entry"));
  for (ProfileInput& input : profile->inputs) {
    input.name = from.text();
    input.value = from.fixed<double>();
    input.as_of_ms = from.fixed<std::int64_t>();
  }
  return profile;
}

}  // namespace

const MerchantHot& MerchantTable::hot(std::uint32_t slot) const {
  return impl_->hot(slot);
}

void MerchantTable::save(std::uint32_t slot, const MerchantHot& hot, ByteWriter& out) const {
  const Impl& all = *impl_;
  out.text(hot.id_view());
  out.fixed(hot.clock_ms);
  out.fixed(hot.accepted_digest);
  out.fixed(hot.day);
  out.fixed(hot.first_currency);
  out.fixed(hot.profile_currency);
  out.byte(hot.started ? 1 : 0);
  out.text(zone_of_id(hot.zone).name());
  const unsigned char* record = all.record(slot);
  out.text(zone_of_id(field_at<RecordHead>(record, 0).zone).name());
  out.raw(record, all.view.record_bytes);
  write_profile(all.profiles[slot].get(), out);
}

void MerchantTable::begin_restore(std::uint32_t size, std::uint64_t ids) {
  Impl& all = *impl_;
  require_bytes(all.size == 0, "the table is not empty");
  require_bytes(size <= all.options.merchants_max, "holds more than capacity.merchants_max");
  while (all.size < size) all.add_slot();
  all.ids.reserve(ids);
}

void MerchantTable::restore(std::uint32_t slot, ByteReader& from) {
  Impl& all = *impl_;
  require_bytes(slot < all.size, "has a slot beyond the number of its merchants");
  MerchantHot& hot = all.hot(slot);
  const std::string_view id = from.text();
  require_bytes(!id.empty() && id.size() <= text_bytes_max, "has an id of no length");
  require_bytes(hot.id_bytes == 0, "holds a merchant twice");
  all.set_id(hot, id);
  hot.clock_ms = from.fixed<std::int64_t>();
  hot.accepted_digest = from.fixed<std::uint64_t>();
  hot.day = from.fixed<std::int32_t>();
  hot.first_currency = from.fixed<CurrencyCode>();
  hot.profile_currency = from.fixed<CurrencyCode>();
  hot.started = from.number_to(1, "a flag is neither 0 nor 1") == 1;
  hot.zone = read_zone(from).id();
  const std::uint16_t zone = read_zone(from).id();
  unsigned char* record = all.record(slot);
  std::memcpy(record, from.raw(all.view.record_bytes).data(), all.view.record_bytes);
  field_at<RecordHead>(record, 0).zone = zone;
  all.profiles[slot] = read_profile(from);
  // Groups are numbered by this plan's tables, which may have grown since.
  if (const MerchantProfile* profile = all.profiles[slot].get()) {
    all.set_group(record, profile->industry, profile->region);
  } else {
    all.set_group(record, "", "");
  }
}

void MerchantTable::end_restore() {
  Impl& all = *impl_;
  for (std::uint32_t slot = 0; slot < all.size; ++slot) {
    const std::string_view id = all.hot(slot).id_view();
    require_bytes(!id.empty(), "lacks a merchant");
    const std::uint64_t hash = XXH3_64bits(id.data(), id.size());
    require_bytes(all.find(hash, id) == no_slot, "holds a merchant twice");
    all.index.insert(hash, slot);
  }
}

void MerchantTable::list_accepted_ids() {
  impl_->lists_ids = true;
}

std::vector<AcceptedId> MerchantTable::take_accepted_ids() {
  return std::exchange(impl_->accepted_ids, {});
}

std::size_t MerchantTable::accepted_ids_waiting() const {
  return impl_->accepted_ids.size();
}

std::vector<AcceptedId> MerchantTable::live_ids() const {
  std::vector<AcceptedId> all;
  all.reserve(impl_->ids.size());
  impl_->ids.for_each([&](std::uint64_t key, std::int64_t time_ms, std::uint32_t slot) {
    if (impl_->is_live(slot, time_ms)) all.push_back({key, time_ms, slot, 0});
  });
  return all;
}

void MerchantTable::restore_id(const AcceptedId& id) {
  require_bytes(id.slot < impl_->size && id.key != 0, "an id belongs to no merchant");
  impl_->remember_id(id.key, id.time_ms, id.slot);
}

namespace {

/// Adds up where one kind of record keeps what.
class Layout {
 public:
  explicit Layout(const WindowPlanView& plan) : plan_(plan) {}

  std::uint64_t hash() {
    add(sizeof(RecordHead), sizeof(RingState), plan_.record_bytes, plan_.ring_count);
    if (plan_.group_offset != 0) add(plan_.group_offset);
    if (plan_.open_invoices != 0) add(plan_.open_invoices, plan_.open_invoices_offset);
    for (std::uint32_t r = 0; r < plan_.ring_count; ++r) add_ring(plan_.rings[r]);
    for (int type = 0; type < event_type_count; ++type) add_updates(plan_.types[type]);
    for (std::uint32_t d = 0; d < plan_.decay_count; ++d) {
      const Decay& decay = plan_.decays[d];
      add(decay.tier, decay.target_offset, decay.factor_count);
    }
    for (std::uint32_t t = 0; t < plan_.tail_count; ++t) {
      const Tail& tail = plan_.tails[t];
      add(tail.state_offset, tail.entry_offset, tail.length);
    }
    return hash_.value;
  }

 private:
  template <typename... Values>
  void add(Values... values) {
    (hash_.add_value(static_cast<std::int64_t>(values)), ...);
  }
  void add_ring(const Ring& ring) {
    add(ring.tier, ring.length, ring.state_offset, ring.bucket_offset, ring.bucket_bytes);
    for (std::uint32_t g = ring.group_begin; g < ring.group_end; ++g) {
      const WindowGroup& group = plan_.groups[g];
      add(group.age_begin, group.age_end, group.recompute);
      for (std::uint32_t s = group.step_begin; s < group.step_end; ++s) {
        const ShiftStep& step = plan_.shifts[s];
        add(step.kind, step.active, step.cells, step.bucket_offset, step.target_offset);
      }
    }
  }
  void add_updates(const TypeUpdates& type) {
    add(type.ring_end - type.ring_begin, type.last_end - type.last_begin);
    for (std::uint32_t u = type.ring_begin; u < type.ring_end; ++u) {
      const RingUpdate& ring = plan_.ring_updates[u];
      for (std::uint32_t s = ring.step_begin; s < ring.step_end; ++s) {
        const UpdateStep& step = plan_.updates[s];
        add(ring.ring, step.kind, step.cells, step.bucket_offset);
      }
    }
    for (std::uint32_t l = type.last_begin; l < type.last_end; ++l) {
      add(plan_.lasts[l].target_offset);
    }
  }

  const WindowPlanView& plan_;
  StateHash hash_;
};

}  // namespace

std::uint64_t payer_layout(const FeaturePlan& plan) {
  return Layout(plan.payer_windows()).hash();
}

std::uint64_t record_layout(const FeaturePlan& plan) {
  const std::uint64_t merchants = Layout(plan.windows()).hash();
  return plan.has_payers() ? merchants ^ payer_layout(plan) << 1 : merchants;
}

}  // namespace tidemark
