// exp, log and the links made of them, of IEEE add, multiply and divide only: the same bits on host
// and device, in every build, and within 2 ulp of the true value. Not the fastest, never the C
// library's, whose last bits differ from machine to machine.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/base/host_device.hpp"

namespace tidemark {

TIDEMARK_HD inline std::uint64_t bits_of(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

TIDEMARK_HD inline double double_of(std::uint64_t bits) {
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// 2^k for a normal result: -1022 <= k <= 1023.
TIDEMARK_HD inline double power_of_two(int k) {
  return double_of(static_cast<std::uint64_t>(k + 1023) << 52);
}

/// e^x. Overflows to infinity above 709.78, goes through the denormals to 0 below -745.13.
TIDEMARK_HD inline double exact_exp(double x) {
  if (x != x) return x;
  if (x > 709.782712893384) return double_of(0x7FF0000000000000u);
  if (x < -745.1332191019412) return 0;
  // x = k ln2 + r + tail with |r| <= ln2 / 2; the high part of ln2 has 33 bits, so k times it is
  // exact.
  const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  const double scaled = x * 1.44269504088896338700;
  const int k = static_cast<int>(scaled + (scaled < 0 ? -0.5 : 0.5));
  const double high = x - k * ln2_high;
  const double low = k * ln2_low;
  const double r = high - low;
  const double tail = (high - r) - low;
  // (e^r - 1 - r) / r^2 by its series; the next term is below 2^-60.
  double q = 1.0 / 6227020800.0;
  q = q * r + 1.0 / 479001600.0;
  q = q * r + 1.0 / 39916800.0;
  q = q * r + 1.0 / 3628800.0;
  q = q * r + 1.0 / 362880.0;
  q = q * r + 1.0 / 40320.0;
  q = q * r + 1.0 / 5040.0;
  q = q * r + 1.0 / 720.0;
  q = q * r + 1.0 / 120.0;
  q = q * r + 1.0 / 24.0;
  q = q * r + 1.0 / 6.0;
  q = q * r + 0.5;
  // 1 + r is kept as a sum of two, so that only the last addition rounds at full weight.
  const double one_r = 1.0 + r;
  const double lost = r - (one_r - 1.0);
  const double mantissa = one_r + (lost + (tail + r * r * q));
  if (k > 1023) return mantissa * 2.0 * power_of_two(k - 1);
  if (k >= -1021) return mantissa * power_of_two(k);
  return mantissa * power_of_two(k + 1000) * power_of_two(-1000);
}

/// Natural logarithm; NaN below 0, -infinity at 0.
TIDEMARK_HD inline double exact_log(double x) {
  const double infinity = double_of(0x7FF0000000000000u);
  if (x != x || x == infinity) return x;
  if (x < 0) return double_of(0x7FF8000000000000u);
  if (x == 0) return -infinity;
  int k = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984.0;  // 2^54 lifts a denormal
    k = -54;
  }
  std::uint64_t bits = bits_of(x);
  k += static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u;
  double m = double_of(bits);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    k += 1;
  }
  // log(1 + f) = f - f^2/2 + s (f^2/2 + R) with s = f / (2 + f), R = 2s^2/3 + 2s^4/5 + ...
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double series = 2.0 / 25.0;
  for (int i = 23; i >= 3; i -= 2) series = series * z + 2.0 / i;
  const double half_square = 0.5 * f * f;
  const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  return k * ln2_high - ((half_square - (s * (half_square + series * z) + k * ln2_low)) - f);
}

/// log(1 + u) for u >= 0, exact also where 1 + u is 1.
TIDEMARK_HD inline double exact_log1p(double u) {
  const double sum = 1.0 + u;
  if (sum > 1.0e300) return exact_log(sum);
  const double lost = u >= 1.0 ? 1.0 - (sum - u) : u - (sum - 1.0);
  return exact_log(sum) + lost / sum;
}

/// 1 / (1 + e^-x).
TIDEMARK_HD inline double exact_logistic(double x) {
  return 1.0 / (1.0 + exact_exp(-x));
}

/// log(1 + e^x).
TIDEMARK_HD inline double exact_softplus(double x) {
  if (x > 0) return x + exact_log1p(exact_exp(-x));
  return exact_log1p(exact_exp(x));
}

}  // namespace tidemark
