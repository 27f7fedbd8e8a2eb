// See made_events.hpp.
#include "bench/windows/made_events.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "kernels/base/currency.hpp"

namespace tidemark {
namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;
constexpr std::int64_t span_ms = 90LL * 86'400'000;

std::uint64_t hash_of(std::uint64_t number) {
  return XXH3_64bits(&number, sizeof number);
}

}  // namespace

MadeEvents::MadeEvents(Spread spread, std::uint32_t merchants, std::size_t events)
    : spread_(spread),
      merchants_(merchants),
      step_ms_(std::max<std::int64_t>(1, span_ms / static_cast<std::int64_t>(events))) {
  double all = 0;
  for (std::uint32_t m = 0; m < merchants; ++m) {
    ids_.push_back("m-" + std::to_string(m));
    if (spread == Spread::zipf) cumulated_.push_back(all += std::pow(m + 1.0, -1.1));
  }
}

std::uint32_t MadeEvents::draw() {
  if (spread_ == Spread::hot && random_() % 10 != 0) return 0;
  if (spread_ != Spread::zipf) return static_cast<std::uint32_t>(random_() % merchants_);
  const double at = static_cast<double>(random_() >> 11) * 0x1p-53 * cumulated_.back();
  const auto found = std::upper_bound(cumulated_.begin(), cumulated_.end(), at);
  return static_cast<std::uint32_t>(
      std::min<std::ptrdiff_t>(found - cumulated_.begin(), merchants_ - 1));
}

void MadeEvents::fill(EventBatch& batch, std::size_t count) {
  static const CurrencyCode currency = pack_currency("EUR");
  batch.clear();
  batch.grow(count);
  event_ids_.resize(count);
  for (std::size_t row = 0; row < count; ++row, ++made_) {
    const std::string& id = ids_[draw()];
    batch.merchant_id[row] = id;
    batch.merchant_hash[row] = XXH3_64bits(id.data(), id.size());
    event_ids_[row] = std::to_string(made_);
    batch.event_id[row] = event_ids_[row];
    batch.event_id_hash[row] = hash_of(made_ + (std::uint64_t{1} << 40));
    const bool refund = random_() % 40 == 0;
    batch.type[row] = refund ? EventType::refund : EventType::payment;
    batch.flags[row] = flag_certified | flag_time_readable;
    batch.event_time_ms[row] = start_ms + static_cast<std::int64_t>(made_) * step_ms_;
    batch.amount_minor[row] = static_cast<std::int64_t>(100 + random_() % 20'000);
    batch.currency[row] = currency;
    batch.payer_hash[row] = hash_of(random_() % 500'000 + 7);
  }
}

}  // namespace tidemark
