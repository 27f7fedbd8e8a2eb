// The windows' side of the merchant table: batches into records, records into rows, records into a
// hash. The arithmetic is in kernels/window; this file hands out merchants to workers.
#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "features/merchant_table_impl.hpp"
#include "kernels/base/currency.hpp"

namespace tidemark {
namespace {

// Groups that a worker takes at a time. Merchants differ in events, so small beats even.
constexpr std::size_t groups_per_range = 32;
// How many merchants ahead the fronts of records are asked for, and the buckets that those name.
constexpr std::size_t front_ahead = 6, buckets_ahead = 3;

WindowEvent event_of(const EventBatch& batch, std::size_t row) {
  return {batch.event_time_ms[row], batch.amount_minor[row], batch.payer_hash[row], batch.type[row],
          batch.flags[row]};
}

CurrencyCode currency_of(const RecordHead& head) {
  return head.profile_currency != 0 ? head.profile_currency : head.first_currency;
}

void set_exponent(RecordHead& head) {
  head.exponent = static_cast<std::uint8_t>(std::max(0, currency_exponent(currency_of(head))));
}

/// The rings stand at the clock as before, with nothing in them. History goes on.
void empty_windows(const WindowPlanView& plan, unsigned char* record) {
  const RecordHead before = field_at<RecordHead>(record, 0);
  std::memset(record, 0, plan.record_bytes);
  advance_record(plan, record, before.clock_ms, before.day);
  RecordHead& head = field_at<RecordHead>(record, 0);
  head = before;
  head.flags = record_started;
}

void prefetch_front(const WindowPlanView& plan, const unsigned char* record) {
  for (std::uint32_t at = 0; at < plan.front_bytes; at += 64) __builtin_prefetch(record + at, 1);
}

// The buckets that the next event of a merchant will touch: those that it falls into, and those
// that the clock's step takes out of a window. A guess that is wrong costs time, never bits.
void prefetch_buckets(const WindowPlanView& plan, unsigned char* record, const WindowEvent& event) {
  const RecordHead& head = field_at<RecordHead>(record, 0);
  if ((head.flags & record_started) == 0 || event.time_ms < head.clock_ms) return;
  const ZoneView& zone = zone_of_id(head.zone).view();
  const std::int32_t day = day_of_local_ms(event.time_ms + zone_offset_ms(zone, event.time_ms));
  for (std::uint32_t r = 0; r < plan.ring_count; ++r) {
    const Ring& ring = plan.rings[r];
    const RingState& state = field_at<RingState>(record, ring.state_offset);
    std::int64_t steps = 0;
    if (ring.tier < Tier::day || day != head.day) {
      steps = bucket_number(ring.tier, event.time_ms, day) -
              bucket_number(ring.tier, head.clock_ms, head.day);
    }
    const auto prefetch = [&](int age) {
      const unsigned char* bucket = bucket_of(ring, record, state.position, age);
      for (std::uint32_t at = 0; at < ring.bucket_bytes; at += 64)
        __builtin_prefetch(bucket + at, 1);
    };
    if (steps < 0) continue;
    const int turn = static_cast<int>(steps % ring.length);
    prefetch(turn == 0 ? 0 : ring.length - turn);
    if (steps == 0) continue;
    for (std::uint32_t g = ring.group_begin; g < ring.group_end; ++g) {
      const WindowGroup& group = plan.groups[g];
      const AgeSet inside = ages_between(group.age_begin, group.age_end);
      const AgeSet leaving = occupied_ages(ring, record) & inside & ~ages_before(inside, steps);
      const bool all = plan.shifts[group.step_begin].kind == Accumulator::sketch && leaving != 0;
      for_each_age(all ? occupied_ages(ring, record) : leaving, prefetch);
    }
  }
}

struct HashState {
  std::uint64_t value = 0;
  void add(const void* bytes, std::size_t count) {
    value = XXH3_64bits_withSeed(bytes, count, value + count);
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  template <typename T>
  void add_value(const T& number) {
    add(&number, sizeof(number));
  }
};

void add_profile(HashState& hash, const MerchantProfile& profile) {
  hash.add_value(profile.currency);
  hash.add(profile.industry);
  hash.add(profile.region);
  hash.add(profile.time_zone);
  hash.add_value(profile.opened_at_ms);
  for (const ProfileInput& input : profile.inputs) {
    hash.add(input.name);
    hash.add_value(input.value);
    hash.add_value(input.as_of_ms);
  }
}

}  // namespace

void MerchantTable::Impl::apply_profile(const EventBatch& batch, std::size_t row,
                                        unsigned char* merchant) {
  RecordHead& head = field_at<RecordHead>(merchant, 0);
  head.zone = zone_of(batch, row).id();
  const CurrencyCode before = currency_of(head);
  const bool has_profile =
      batch.type[row] == EventType::profile && batch.profile_index[row] != no_profile;
  head.profile_currency =
      has_profile ? batch.profiles[static_cast<std::size_t>(batch.profile_index[row])].currency : 0;
  set_exponent(head);
  // Amounts of two currencies have no sum, and there is no rate table.
  if (head.first_currency != 0 && currency_of(head) != before) empty_windows(view, merchant);
}

void MerchantTable::Impl::apply_group(const EventBatch& batch, std::span<const std::uint32_t> rows,
                                      std::span<const std::uint32_t> matrix_row,
                                      FeatureMatrix& matrix, Fraction* numbers) {
  unsigned char* merchant = record(batch.slot[rows.front()]);
  RecordHead& head = field_at<RecordHead>(merchant, 0);
  for (const std::uint32_t row : rows) {
    if (batch.outcome[row] != Outcome::scored && batch.outcome[row] != Outcome::applied) continue;
    if (batch.source[row] == Source::merchants) apply_profile(batch, row, merchant);
    if (head.first_currency == 0 && is_scored_source(batch.source[row])) {
      head.first_currency = batch.currency[row];
      set_exponent(head);
    }
    const WindowEvent event = event_of(batch, row);
    const EventPlace place = place_of(event, zone_of_id(head.zone).view());
    apply_event(view, merchant, event, place);
    if (matrix_row[row] == UINT32_MAX) continue;
    read_row(view, {merchant, &event, place.bits}, numbers, matrix.row(matrix_row[row]).data());
  }
}

void MerchantTable::apply(const EventBatch& batch, const Segments& segments,
                          std::span<const std::uint32_t> matrix_row, FeatureMatrix& matrix,
                          ThreadPool& pool) {
  Impl& all = *impl_;
  if (all.scratch.size() < static_cast<std::size_t>(pool.threads())) {
    all.scratch.resize(static_cast<std::size_t>(pool.threads()),
                       std::vector<Fraction>(all.view.number_count));
  }
  const std::size_t groups = segments.groups();
  const auto rows_of = [&](std::size_t group) {
    return std::span(segments.order)
        .subspan(segments.begins[group], segments.begins[group + 1] - segments.begins[group]);
  };
  pool.parallel_for(groups, groups_per_range, [&](std::size_t begin, std::size_t end, int worker) {
    Fraction* numbers = all.scratch[static_cast<std::size_t>(worker)].data();
    for (std::size_t group = begin; group < end; ++group) {
      if (group + front_ahead < groups) {
        const std::uint32_t row = segments.order[segments.begins[group + front_ahead]];
        prefetch_front(all.view, all.record(batch.slot[row]));
      }
      if (group + buckets_ahead < end) {
        const std::uint32_t row = segments.order[segments.begins[group + buckets_ahead]];
        prefetch_buckets(all.view, all.record(batch.slot[row]), event_of(batch, row));
      }
      all.apply_group(batch, rows_of(group), matrix_row, matrix, numbers);
    }
  });
}

void MerchantTable::adopt_profile(std::uint32_t slot, const EventBatch& batch, std::size_t row) {
  std::unique_ptr<MerchantProfile>& profile = impl_->profiles[slot];
  if (batch.type[row] != EventType::profile || batch.profile_index[row] == no_profile) {
    profile.reset();
    return;
  }
  const Profile& from = batch.profiles[static_cast<std::size_t>(batch.profile_index[row])];
  profile = std::make_unique<MerchantProfile>(MerchantProfile{
      from.currency, from.industry, from.region, from.time_zone, from.opened_at_ms, from.inputs});
}

const MerchantProfile& MerchantTable::profile(std::uint32_t slot) const {
  static const MerchantProfile none;
  const std::unique_ptr<MerchantProfile>& profile = impl_->profiles[slot];
  return profile == nullptr ? none : *profile;
}

bool MerchantTable::saturated(std::uint32_t slot) const {
  return (field_at<RecordHead>(impl_->record(slot), 0).flags & record_saturated) != 0;
}

// A sweep moves the clock of a copy, so the very code that reads after an event reads here.
void MerchantTable::read_out(std::uint32_t slot, std::int64_t at_ms, std::span<float> out) const {
  const Impl& all = *impl_;
  thread_local std::vector<std::uint64_t> copy;
  thread_local std::vector<Fraction> numbers;
  copy.resize(all.view.record_bytes / 8 + 2);
  numbers.resize(all.view.number_count);
  // Sums of squares want 16 bytes of alignment, which a vector of words need not have.
  const std::size_t skip = reinterpret_cast<std::uintptr_t>(copy.data()) % 16 / 8;
  unsigned char* merchant = reinterpret_cast<unsigned char*>(copy.data() + skip);
  std::memcpy(merchant, all.record(slot), all.view.record_bytes);
  const RecordHead& head = field_at<RecordHead>(merchant, 0);
  if ((head.flags & record_started) != 0) {
    const ZoneView& zone = zone_of_id(head.zone).view();
    advance_record(all.view, merchant, at_ms, day_of_local_ms(at_ms + zone_offset_ms(zone, at_ms)));
  }
  read_row(all.view, {merchant, nullptr, 0}, numbers.data(), out.data());
}

std::uint64_t MerchantTable::hash(std::uint32_t slot) const {
  const Impl& all = *impl_;
  const MerchantHot& merchant = all.hot(slot);
  HashState hash;
  hash.add(merchant.id_view());
  hash.add_value(merchant.clock_ms);
  hash.add_value(merchant.accepted_digest);
  hash.add_value(merchant.day);
  hash.add_value(merchant.first_currency);
  hash.add_value(merchant.profile_currency);
  hash.add(zone_of_id(merchant.zone).name());
  const unsigned char* record = all.record(slot);
  RecordHead head = field_at<RecordHead>(record, 0);
  hash.add(zone_of_id(head.zone).name());
  head.zone = 0;
  hash.add_value(head);
  hash.add(record + sizeof(RecordHead), all.view.record_bytes - sizeof(RecordHead));
  add_profile(hash, profile(slot));
  return hash.value;
}

}  // namespace tidemark
