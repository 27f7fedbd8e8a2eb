// Which partition a key belongs to, as Java clients and librdkafka's murmur2 choose it. Pure
// functions; the parser's key check and the tests use them.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark {

/// 32-bit MurmurHash2 with the seed of Kafka's default partitioner.
std::uint32_t murmur2(std::string_view key);

/// Partition of a non-null key among `partitions` (> 0).
inline int partition_of(std::string_view key, int partitions) {
  return static_cast<int>((murmur2(key) & 0x7fffffffU) % static_cast<std::uint32_t>(partitions));
}

}  // namespace tidemark
