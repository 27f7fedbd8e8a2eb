// Portable distributions.
#include "tools/generate/random.hpp"

#include <bit>
#include <cmath>

namespace tidemark {

double portable_exp(double x) {
  if (x < -700) return 0;
  if (x > 700) x = 700;
  // x = k ln 2 + r with |r| <= ln 2 / 2; the powers of two are put together from bits.
  const double scaled = x * 1.4426950408889634;
  const auto k = static_cast<std::int64_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  const double r = x - static_cast<double>(k) * 0.6931471805599453;
  double sum = 1;
  for (int n = 14; n >= 1; --n) sum = 1 + sum * r / n;
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
}

double portable_log(double x) {
  if (!(x > 0)) return -745;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
  if (m > 1.4142135623730951) {
    m /= 2;
    ++exponent;
  }
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int n = 17; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
  return 2 * s * sum + static_cast<double>(exponent) * 0.6931471805599453;
}

double Random::normal() {
  std::int64_t sum = 0;
  for (int word = 0; word < 3; ++word) {
    for (std::uint64_t b = bits(), part = 0; part < 4; ++part, b >>= 16) {
      sum += static_cast<std::int64_t>(b & 0xffff);
    }
  }
  return (static_cast<double>(sum) - 12 * 32767.5) / 65536.0;
}

std::int64_t Random::poisson(double mean) {
  if (mean <= 0) return 0;
  if (mean > 25) {
    const double drawn = mean + std::sqrt(mean) * normal() + 0.5;
    return drawn < 0 ? 0 : static_cast<std::int64_t>(drawn);
  }
  const double stop = portable_exp(-mean);
  std::int64_t count = 0;
  for (double product = uniform(); product > stop; product *= uniform()) ++count;
  return count;
}

}  // namespace tidemark
