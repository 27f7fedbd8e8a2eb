// Compaction: the chunks of several generations as fewer, without entries that later ones replace
// and without event ids that have expired. Reads and writes the store only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "stream/checkpoint/chunk.hpp"
#include "stream/checkpoint/store.hpp"

namespace tidemark {

/// How many of the newest generations to merge so that sizes fall from old to new by half and more:
/// an entry is then rewritten as often as the logarithm of the number of checkpoints. 0 or 1:
/// nothing to do. `chunks` are ordered by generation.
std::size_t generations_to_merge(std::span<const ChunkRef> chunks);

/// Gives out the names of new chunks and stores their bytes.
using StoreChunk = std::function<ChunkRef(ChunkKind, std::string entries, std::size_t count)>;

/// Merges `chunks` (by generation, the newest generations of a checkpoint) into new ones that
/// `store_chunk` keeps. Ids are dropped when their merchant is among the entries and its clock has
/// left them behind by more than `horizon_ms`. Throws RunError naming the chunk that is broken.
std::vector<ChunkRef> merge_chunks(const CheckpointStore& store, const std::string& folder,
                                   std::span<const ChunkRef> chunks, std::int64_t horizon_ms,
                                   const StoreChunk& store_chunk);

/// The entries of a stored chunk. Throws RunError that names it.
std::string read_chunk(const CheckpointStore& store, const std::string& folder,
                       const ChunkRef& chunk);

}  // namespace tidemark
