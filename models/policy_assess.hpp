// What the rules of the flow limit make of one merchant at one instant, before it is compared with
// what was published. Private to models/policy*.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "models/policy.hpp"

namespace tidemark {

struct Policy::Assessment {
  LimitStatus status = LimitStatus::none;
  std::uint8_t tier = no_tier;
  std::int32_t price_bps = 0;
  std::int64_t limit_minor = 0;
  std::int64_t cap_minor = 0;  // 5 x M and the product cap; no hysteresis holds a limit above it
  std::int64_t change_min_minor = 0;
  double season = 1;
  double payments_mark = 0;  // the mark in force: lower for a merchant that has a limit
  double refuse_mark = 0;    // the credit score from which it is refused, in force
  double inflow_needed = 0;  // net inflow of 12 months for the smallest limit
  bool history_short = false, months_few = false, payments_few = false;
  bool score_refused = false, inflow_low = false;
};

/// Up to reasons_max reasons. A sentence about a feature is said once.
struct Policy::ReasonList {
  std::array<Reason, reasons_max> reasons;
  std::size_t count = 0;

  bool full() const { return count == reasons.size(); }
  bool speaks_of(std::uint16_t feature) const {
    return std::any_of(reasons.begin(), reasons.begin() + count,
                       [&](const Reason& r) { return r.feature == feature; });
  }
  void add(const Reason& reason) {
    if (!full()) reasons[count++] = reason;
  }
};

/// Reasons that every adverse decision and every limit carries.
inline constexpr std::size_t reasons_min = 3;

}  // namespace tidemark
