// Column bookkeeping of EventBatch: one list of columns, used by every operation.
#include "kernels/data/event_batch.hpp"

#include <algorithm>
#include <tuple>

namespace tidemark {
namespace {

// The column list, once: a column that is missing here would silently keep old rows.
auto columns(EventBatch& b) {
  return std::tie(b.source, b.partition, b.offset, b.kafka_time_ms, b.raw_value, b.raw_key,
                  b.headers, b.merchant_id, b.event_id, b.type, b.flags, b.event_time_ms,
                  b.amount_minor, b.currency, b.merchant_hash, b.event_id_hash, b.payer_hash,
                  b.ref_hash, b.invoice_hash, b.order_hash, b.channel_hash, b.name_hash, b.value,
                  b.due_time_ms, b.profile_index, b.error, b.error_message, b.outcome, b.slot);
}

template <typename Columns, typename Visit>
void for_each_column(Columns&& all, Visit visit) {
  std::apply([&](auto&... column) { (visit(column), ...); }, all);
}

}  // namespace

void EventBatch::clear() {
  for_each_column(columns(*this), [](auto& column) { column.clear(); });
  profiles.clear();
  owners.clear();
}

std::size_t EventBatch::grow(std::size_t count) {
  const std::size_t first = rows();
  for_each_column(columns(*this), [&](auto& column) { column.resize(first + count); });
  std::fill(event_time_ms.begin() + static_cast<std::ptrdiff_t>(first), event_time_ms.end(),
            no_time);
  std::fill(due_time_ms.begin() + static_cast<std::ptrdiff_t>(first), due_time_ms.end(), no_time);
  std::fill(profile_index.begin() + static_cast<std::ptrdiff_t>(first), profile_index.end(),
            no_profile);
  std::fill(slot.begin() + static_cast<std::ptrdiff_t>(first), slot.end(), no_slot);
  return first;
}

void EventBatch::append(const EventBatch& from, std::size_t first, std::size_t count) {
  const std::size_t start = rows();
  auto into = columns(*this);
  auto out_of = columns(const_cast<EventBatch&>(from));
  const auto copy = [&](auto& to, const auto& other) {
    to.insert(to.end(), other.begin() + static_cast<std::ptrdiff_t>(first),
              other.begin() + static_cast<std::ptrdiff_t>(first + count));
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (copy(std::get<I>(into), std::get<I>(out_of)), ...);
  }
  (std::make_index_sequence<std::tuple_size_v<decltype(into)>>{});
  for (std::size_t row = start; row < rows(); ++row) {
    if (profile_index[row] == no_profile) continue;
    profiles.push_back(from.profiles[static_cast<std::size_t>(profile_index[row])]);
    profile_index[row] = static_cast<std::int32_t>(profiles.size() - 1);
  }
  for (const auto& owner : from.owners) {
    if (owners.empty() || owners.back() != owner) owners.push_back(owner);
  }
}

void EventBatch::keep(std::shared_ptr<const RawBatch> bytes) {
  owners.push_back(std::move(bytes));
}

}  // namespace tidemark
