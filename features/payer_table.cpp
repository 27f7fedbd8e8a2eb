// See payer_table.hpp.
#include "features/payer_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "features/state_hash.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

// Beside the record: an index entry at its emptiest (load 1/4), the id, the hash, the mark.
constexpr std::size_t overhead_bytes = 4 * sizeof(SlotIndex::Entry) + 2 * sizeof(std::uint64_t) + 5;

}  // namespace

std::size_t bytes_per_payer(const FeaturePlan& plan) {
  return plan.has_payers() ? plan.payer_windows().record_bytes + overhead_bytes : 0;
}

void write_no_payer(const FeaturePlan& plan, std::span<float> row) {
  const WindowPlanView& payers = plan.payer_windows();
  for (std::uint32_t c = 0; c < payers.column_count; ++c) {
    row[payers.columns[c].column] = std::numeric_limits<float>::quiet_NaN();
  }
}

PayerTable::PayerTable(std::shared_ptr<const FeaturePlan> plan, const PayerTableOptions& options)
    : plan_(std::move(plan)),
      view_(plan_->payer_windows()),
      options_(options),
      zone_(find_zone(options.default_zone)),
      records_(view_.record_bytes) {
  if (zone_ == nullptr) {
    throw UsageError(fmt::format("default time zone '{}' is not in the machine's IANA data",
                                 options.default_zone));
  }
}

std::uint32_t PayerTable::slot_of(std::uint64_t payer_hash) {
  std::uint32_t slot = index_.find(payer_hash, [](std::uint32_t) { return true; });
  if (slot != no_slot) return slot;
  slot = size();
  require_room(slot + 1);
  if (slot % RecordPages::page_records == 0) records_.add_page();
  hashes_.push_back(payer_hash);
  states_.resize(hashes_.size());
  index_.insert(payer_hash, slot);
  return slot;
}

void PayerTable::require_room(std::uint32_t payers) const {
  if (payers <= options_.payers_max) return;
  throw RunError(
      fmt::format("the payer table is full: capacity.payers_max is {}; raise it (one more payer "
                  "takes {} bytes)",
                  options_.payers_max, bytes_per_payer(*plan_)));
}

void PayerTable::admit(const EventBatch& batch, std::span<const std::uint32_t> matrix_row) {
  constexpr std::size_t ahead = 16;
  slots_.assign(batch.rows(), no_slot);
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    if (row + ahead < batch.rows()) index_.prefetch(batch.payer_hash[row + ahead]);
    if (batch.payer_hash[row] == 0 || !plan_->payers_read(batch.source[row])) continue;
    const bool asked = batch.outcome[row] == Outcome::duplicate && matrix_row[row] != UINT32_MAX;
    if (batch.outcome[row] != Outcome::scored && !asked) continue;
    const std::uint32_t slot = slot_of(batch.payer_hash[row]);
    slots_[row] = slot;
    states_.touch(slot);
  }
}

void PayerTable::apply(const EventBatch& batch, std::span<const std::uint32_t> matrix_row,
                       FeatureMatrix& matrix, Segmenter& segmenter, ThreadPool& pool) {
  admit(batch, matrix_row);
  segmenter.run(slots_, size(), segments_);
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    if (slots_[row] != no_slot || matrix_row[row] == UINT32_MAX) continue;
    write_no_payer(*plan_, matrix.row(matrix_row[row]));
  }
  const WindowPass pass{view_, records_, batch, slots_, segments_};
  pass.run(pool, scratch_,
           [&](unsigned char* record, std::span<const std::uint32_t> rows, Fraction* numbers) {
             RecordHead& head = field_at<RecordHead>(record, 0);
             if (head.first_currency == 0) {
               head.first_currency = batch.currency[rows.front()];
               head.exponent = exponent_of(head.first_currency);
               head.zone = zone_->id();
             }
             for (const std::uint32_t row : rows) {
               const std::span<float> out = matrix.row(matrix_row[row]);
               if (batch.currency[row] != head.first_currency) {
                 write_no_payer(*plan_, out);
                 continue;
               }
               const WindowEvent event = window_event(batch, row);
               const EventPlace place = place_of(event, zone_->view());
               if (batch.outcome[row] == Outcome::scored) apply_event(view_, record, event, place);
               read_row(view_, {record, &event, place.bits}, numbers, out.data());
             }
           });
}

std::uint64_t PayerTable::state_hash() {
  return states_.value([this](std::uint32_t slot) {
    StateHash hash;
    hash.add_value(hashes_[slot]);
    RecordHead head = field_at<RecordHead>(records_.at(slot), 0);
    head.zone = 0;
    hash.add_value(head);
    hash.add(records_.at(slot) + sizeof(RecordHead), view_.record_bytes - sizeof(RecordHead));
    return hash.value;
  });
}

// Zones are numbered by the process: all payers are in the table's.
void PayerTable::save(std::uint32_t slot, ByteWriter& out) const {
  RecordHead head = field_at<RecordHead>(records_.at(slot), 0);
  head.zone = 0;
  out.fixed(hashes_[slot]);
  out.fixed(head);
  out.raw(records_.at(slot) + sizeof head, view_.record_bytes - sizeof head);
}

void PayerTable::begin_restore(std::uint32_t payers) {
  require_room(payers);
  hashes_.resize(payers);
  for (std::uint32_t slot = 0; slot < payers; slot += RecordPages::page_records) {
    records_.add_page();
  }
}

void PayerTable::restore(std::uint32_t slot, ByteReader& from) {
  hashes_[slot] = from.fixed<std::uint64_t>();
  RecordHead head = from.fixed<RecordHead>();
  if (head.first_currency != 0) head.zone = zone_->id();
  field_at<RecordHead>(records_.at(slot), 0) = head;
  const std::string_view rest = from.raw(view_.record_bytes - sizeof head);
  std::copy(rest.begin(), rest.end(), records_.at(slot) + sizeof head);
}

void PayerTable::end_restore() {
  states_.resize(hashes_.size());
  for (std::uint32_t slot = 0; slot < size(); ++slot) {
    index_.insert(hashes_[slot], slot);
    states_.touch(slot);
  }
}

}  // namespace tidemark
