// MurmurHash2 as Kafka's Java client computes it, over bytes in little-endian order.
#include "stream/kafka/partitioner.hpp"

#include <cstring>

namespace tidemark {

std::uint32_t murmur2(std::string_view key) {
  constexpr std::uint32_t seed = 0x9747b28cU;
  constexpr std::uint32_t factor = 0x5bd1e995U;
  const char* at = key.data();
  std::size_t left = key.size();
  std::uint32_t hash = seed ^ static_cast<std::uint32_t>(left);
  for (; left >= 4; left -= 4, at += 4) {
    std::uint32_t word;
    std::memcpy(&word, at, 4);
    word *= factor;
    word ^= word >> 24;
    word *= factor;
    hash = hash * factor ^ word;
  }
  const auto byte = [at](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(at[i]));
  };
  if (left == 3) hash ^= byte(2) << 16;
  if (left >= 2) hash ^= byte(1) << 8;
  if (left >= 1) hash = (hash ^ byte(0)) * factor;
  hash ^= hash >> 13;
  hash *= factor;
  return hash ^ hash >> 15;
}

}  // namespace tidemark
