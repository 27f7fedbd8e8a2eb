// What admission touches of a merchant: one cache line each, apart from the windows, so that a
// batch can be admitted while another is in its windows. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "features/slot_index.hpp"
#include "kernels/data/event_batch.hpp"

namespace tidemark {

/// The admission's side of a merchant's state. `zone` is a number of this process.
struct alignas(64) MerchantHot {
  static constexpr std::size_t inline_id_bytes = 28;
  std::int64_t clock_ms = 0;
  std::uint64_t accepted_digest = 0;  // sum over accepted events of a hash of id, source and time
  std::int32_t day = 0;               // largest local day applied, as in RecordHead
  CurrencyCode first_currency = 0;
  CurrencyCode profile_currency = 0;
  std::uint16_t zone = 0;
  bool started = false;
  std::uint8_t unused = 0;
  std::uint32_t id_bytes = 0;
  char id[inline_id_bytes] = {};  // the id, or a pointer to it when it is longer

  std::string_view id_view() const {
    if (id_bytes <= inline_id_bytes) return {id, id_bytes};
    const char* text = nullptr;
    std::memcpy(&text, id, sizeof(text));
    return {text, id_bytes};
  }
  CurrencyCode currency() const {
    return profile_currency != 0 ? profile_currency : first_currency;
  }
};
static_assert(sizeof(MerchantHot) == 64);

/// Beside the record: the hot line, an index entry at its emptiest (load 1/4), a profile pointer.
inline constexpr std::size_t merchant_overhead_bytes =
    sizeof(MerchantHot) + 4 * sizeof(SlotIndex::Entry) + sizeof(void*);

}  // namespace tidemark
