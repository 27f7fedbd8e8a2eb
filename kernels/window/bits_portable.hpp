// Bit counting by arithmetic alone, for code that compiles for host and device; see bits.hpp.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"

namespace tidemark {

/// Adds up neighbouring fields of 1, 2 and 4 bits, then the eight bytes by one multiplication.
TIDEMARK_HD inline int count_bits(std::uint64_t word) {
  word -= (word >> 1) & 0x5555555555555555ULL;
  word = (word & 0x3333333333333333ULL) + ((word >> 2) & 0x3333333333333333ULL);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
  return static_cast<int>((word * 0x0101010101010101ULL) >> 56);
}

/// Index of the lowest set bit; `word` != 0.
TIDEMARK_HD inline int lowest_bit(std::uint64_t word) {
  return count_bits((word & (~word + 1)) - 1);
}

/// Index of the highest set bit; `word` != 0.
TIDEMARK_HD inline int highest_bit(std::uint64_t word) {
  for (int shift = 1; shift < 64; shift *= 2) word |= word >> shift;
  return count_bits(word) - 1;
}

}  // namespace tidemark
