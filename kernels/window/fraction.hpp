// Numbers on their way to a column, once, for host and device: two doubles until the one division
// at the end. No state.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/window/ages.hpp"

namespace tidemark {

/// A number before its division. 0 / 0 is "none".
struct Fraction {
  double num = 0;
  double den = 0;
};

TIDEMARK_HD inline double wide_to_double(Wide value) {
  return static_cast<double>(static_cast<std::uint64_t>(value >> 64)) * 18446744073709551616.0 +
         static_cast<double>(static_cast<std::uint64_t>(value));
}

/// sqrt(n * squares - sum * sum), which is n times the population's sigma. Exact integers under the
/// root up to 2^128; past that in doubles.
TIDEMARK_HD inline double spread_of(std::int64_t count, std::int64_t sum, Wide squares) {
  const Wide sum_wide = static_cast<Wide>(sum);
  if (squares >> 96 == 0 && count >> 32 == 0) {
    return std::sqrt(wide_to_double(static_cast<Wide>(count) * squares - sum_wide * sum_wide));
  }
  const double total = static_cast<double>(sum);
  const double spread = static_cast<double>(count) * wide_to_double(squares) - total * total;
  return spread > 0 ? std::sqrt(spread) : 0.0;
}

/// Digits after the point as a factor; exponents come from ISO 4217, which ends at 4.
TIDEMARK_HD inline double minor_units(std::uint8_t exponent) {
  double units = 1.0;
  for (int digit = 0; digit < exponent; ++digit) units *= 10.0;
  return units;
}

TIDEMARK_HD inline Fraction ratio_of(Fraction a, Fraction b) {
  return {a.num * b.den, a.den * b.num};
}

TIDEMARK_HD inline Fraction change_of(Fraction a, Fraction b) {
  return {a.num * b.den - a.den * b.num, a.den * b.num};
}

TIDEMARK_HD inline Fraction difference_of(Fraction a, Fraction b) {
  if (a.den == b.den) return {a.num - b.num, a.den};
  return {a.num * b.den - b.num * a.den, a.den * b.den};
}

}  // namespace tidemark
