// Bit counting by the processor's own instructions; see bits.hpp. Host only.
#pragma once

#include <bit>
#include <cstdint>

namespace tidemark {

inline int count_bits(std::uint64_t word) {
  return std::popcount(word);
}
/// Index of the lowest set bit; `word` != 0.
inline int lowest_bit(std::uint64_t word) {
  return std::countr_zero(word);
}

/// Index of the highest set bit; `word` != 0.
inline int highest_bit(std::uint64_t word) {
  return 63 - std::countl_zero(word);
}

}  // namespace tidemark
