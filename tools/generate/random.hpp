// Random numbers whose bits are the same on every machine: an integer generator, and distributions
// made of additions, multiplications, divisions and square roots only, because the results of libm
// and of the standard distributions differ between libraries. One thread per object.
#pragma once

#include <cstdint>

namespace tidemark {

/// The finaliser of SplitMix64 (S. Vigna): every bit of the input moves every bit of the output.
constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// e^x and ln(x) to about 1e-13, in plain IEEE arithmetic.
double portable_exp(double x);
double portable_log(double x);

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  /// An independent stream for each pair of numbers, so that no draw depends on another's count.
  Random(std::uint64_t seed, std::uint64_t a, std::uint64_t b)
      : state_(mix_bits(mix_bits(mix_bits(seed + 1) ^ a) ^ (b * 0x9e3779b97f4a7c15u))) {}

  std::uint64_t bits() { return mix_bits(state_ += 0x9e3779b97f4a7c15u); }
  /// In [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double share) { return uniform() < share; }
  /// In [0, count), count up to 2^32; the bias of at most count / 2^32 shows in no table.
  std::uint64_t below(std::uint64_t count) { return ((bits() >> 32) * count) >> 32; }
  /// In [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
  }
  /// Mean 0, deviation 1: twelve uniforms, exact in integers until the last step.
  double normal();
  double exponential(double mean) { return -mean * portable_log(1.0 - uniform()); }
  std::int64_t poisson(double mean);

 private:
  std::uint64_t state_;
};

}  // namespace tidemark
