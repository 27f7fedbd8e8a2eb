// A set of bucket ages in one 128-bit word: bit 0 is the current bucket, bit k the one k before it.
// Moving the clock is a shift. Host and device, no state.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/window/bits.hpp"

namespace tidemark {

__extension__ typedef unsigned __int128 Wide;  // -Wpedantic does not know the type
using AgeSet = Wide;

TIDEMARK_HD constexpr AgeSet ages_below(std::int64_t end) {
  if (end <= 0) return 0;
  return end >= 128 ? ~AgeSet{0} : (AgeSet{1} << end) - 1;
}

/// Ages in [begin, end).
TIDEMARK_HD constexpr AgeSet ages_between(std::int64_t begin, std::int64_t end) {
  return ages_below(end) & ~ages_below(begin);
}

/// The ages that will be in `ages` after `steps` more buckets.
TIDEMARK_HD constexpr AgeSet ages_before(AgeSet ages, std::int64_t steps) {
  return steps >= 128 ? 0 : ages >> steps;
}

/// What `ages` have become after `steps` more buckets.
TIDEMARK_HD constexpr AgeSet ages_after(AgeSet ages, std::int64_t steps) {
  return steps >= 128 ? 0 : ages << steps;
}

/// Calls visit(age) for each age, youngest first.
template <typename Visit>
TIDEMARK_HD inline void for_each_age(AgeSet ages, Visit visit) {
  for (std::uint64_t word = static_cast<std::uint64_t>(ages); word != 0; word &= word - 1) {
    visit(lowest_bit(word));
  }
  for (std::uint64_t word = static_cast<std::uint64_t>(ages >> 64); word != 0; word &= word - 1) {
    visit(64 + lowest_bit(word));
  }
}

}  // namespace tidemark
