// The windows' side of the merchant table: batches into records, records into rows, records into a
// hash. The arithmetic is in kernels/window; this file hands out merchants to workers.
#include <algorithm>
#include <cstring>

#include "features/merchant_table_impl.hpp"
#include "features/payer_table.hpp"
#include "features/state_hash.hpp"
#include "features/window_pass.hpp"
#include "kernels/base/currency.hpp"

namespace tidemark {
namespace {

CurrencyCode currency_of(const RecordHead& head) {
  return head.profile_currency != 0 ? head.profile_currency : head.first_currency;
}

void set_exponent(RecordHead& head) {
  head.exponent = exponent_of(currency_of(head));
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

void add_profile(StateHash& hash, const MerchantProfile& profile) {
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
  const Profile* profile =
      batch.type[row] == EventType::profile && batch.profile_index[row] != no_profile
          ? &batch.profiles[static_cast<std::size_t>(batch.profile_index[row])]
          : nullptr;
  head.profile_currency = profile == nullptr ? 0 : profile->currency;
  set_exponent(head);
  // Amounts of two currencies have no sum, and one rate would not fit all their days.
  if (head.first_currency != 0 && currency_of(head) != before) empty_windows(view, merchant);
  set_group(merchant, profile == nullptr ? "" : profile->industry,
            profile == nullptr ? "" : profile->region);
}

void MerchantTable::Impl::apply_group(const EventBatch& batch, std::span<const std::uint32_t> rows,
                                      unsigned char* merchant, const ReadTarget& target) {
  RecordHead& head = field_at<RecordHead>(merchant, 0);
  for (const std::uint32_t row : rows) {
    if (batch.outcome[row] != Outcome::scored && batch.outcome[row] != Outcome::applied) continue;
    if (batch.source[row] == Source::merchants) apply_profile(batch, row, merchant);
    if (head.first_currency == 0 && is_scored_source(batch.source[row])) {
      head.first_currency = batch.currency[row];
      set_exponent(head);
    }
    const WindowEvent event = window_event(batch, row);
    const EventPlace place = place_of(event, zone_of_id(head.zone).view());
    apply_event(view, merchant, event, place);
    const std::uint32_t at = target.matrix_row[row];
    if (at == UINT32_MAX) continue;
    read_row(view, {merchant, &event, place.bits}, target.numbers, target.matrix.row(at).data());
  }
}

void MerchantTable::apply(const EventBatch& batch, const Segments& segments,
                          std::span<const std::uint32_t> matrix_row, FeatureMatrix& matrix,
                          ThreadPool& pool) {
  Impl& all = *impl_;
  const WindowPass pass{all.view, all.records, batch, batch.slot, segments};
  pass.run(pool, all.scratch,
           [&](unsigned char* record, std::span<const std::uint32_t> rows, Fraction* numbers) {
             all.apply_group(batch, rows, record, {matrix_row, matrix, numbers});
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

std::span<const unsigned char> MerchantTable::record(std::uint32_t slot) const {
  return {impl_->record(slot), impl_->view.record_bytes};
}

bool MerchantTable::saturated(std::uint32_t slot) const {
  return (field_at<RecordHead>(impl_->record(slot), 0).flags & record_saturated) != 0;
}

bool MerchantTable::forgot_invoice(std::uint32_t slot) const {
  return (field_at<RecordHead>(impl_->record(slot), 0).flags & record_forgot) != 0;
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
  write_no_payer(*all.plan, out);
}

std::uint64_t MerchantTable::hash(std::uint32_t slot) const {
  const Impl& all = *impl_;
  const MerchantHot& merchant = all.hot(slot);
  StateHash hash;
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
