// A checkpoint read back: its chunks, checked, into whatever the state is of.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/base/byte_codec.hpp"
#include "kernels/runtime/thread_pool.hpp"
#include "stream/checkpoint/manifest.hpp"
#include "stream/checkpoint/store.hpp"

namespace tidemark {

/// What chunks are read into. Members throw MalformedBytes for bytes that are none of theirs, and
/// what they throw else goes through; after that the state is half of something.
class CheckpointTarget {
 public:
  virtual ~CheckpointTarget() = default;
  /// The last entry of a slot, each slot once, from any worker of the pool.
  virtual void take_slot(std::uint32_t slot, ByteReader& from) = 0;
  /// All slots were taken.
  virtual void end_slots() = 0;
  virtual void take_id(const IdEntry& id) = 0;
  /// What belongs to no slot.
  virtual void take_rest(ByteReader& from) = 0;
};

/// Slots, ids and the rest, in this order. Throws RunError naming a chunk that is missing or
/// broken.
void fill(const CheckpointStore& store, const std::string& folder,
          const CheckpointManifest& manifest, CheckpointTarget& target, ThreadPool& pool);

/// How many event ids its chunks list.
std::uint64_t ids_in(const CheckpointManifest& manifest);

}  // namespace tidemark
