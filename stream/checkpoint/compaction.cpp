// See compaction.hpp. Merchants go from the newest generation to the oldest, so the first entry of
// a slot is the one that counts and a bit per slot is all the memory it takes.
#include "stream/checkpoint/compaction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{8} << 20;

/// Gathers entries and stores a chunk whenever enough are there.
class Gather {
 public:
  Gather(ChunkKind kind, const StoreChunk& store, std::vector<ChunkRef>& into)
      : kind_(kind), store_(store), into_(into) {}

  template <typename Entry>
  void add(const Entry& entry) {
    write_entry(entry, bytes_);
    ++entries_;
    if (bytes_.size() >= chunk_bytes) finish();
  }
  void finish() {
    if (entries_ > 0) into_.push_back(store_(kind_, bytes_.take(), std::exchange(entries_, 0)));
  }

 private:
  ChunkKind kind_;
  const StoreChunk& store_;
  std::vector<ChunkRef>& into_;
  ByteWriter bytes_;
  std::size_t entries_ = 0;
};

/// Clocks of the merchants that were met, by slot.
class Clocks {
 public:
  /// False when the slot was met before.
  bool meet(std::uint32_t slot, std::int64_t clock_ms) {
    if (slot >= clocks_ms_.size()) clocks_ms_.resize(slot + std::size_t{1}, unknown);
    if (clocks_ms_[slot] != unknown) return false;
    clocks_ms_[slot] = clock_ms;
    return true;
  }
  bool has_expired(const IdEntry& id, std::int64_t horizon_ms) const {
    return id.slot < clocks_ms_.size() && clocks_ms_[id.slot] != unknown &&
           id.time_ms < clocks_ms_[id.slot] - horizon_ms;
  }

 private:
  static constexpr std::int64_t unknown = INT64_MIN;
  std::vector<std::int64_t> clocks_ms_;
};

}  // namespace

std::string read_chunk(const CheckpointStore& store, const std::string& folder,
                       const ChunkRef& chunk) {
  const std::string name = folder + "/" + chunk.name;
  try {
    return open_chunk(store.get(name), chunk);
  } catch (const MalformedBytes& malformed) {
    throw RunError(fmt::format("checkpoint chunk {}/{} {}", store.where(), name, malformed.what));
  }
}

std::size_t generations_to_merge(std::span<const ChunkRef> chunks) {
  std::vector<std::uint64_t> sizes;  // by generation
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    if (i == 0 || chunks[i].generation != chunks[i - 1].generation) sizes.push_back(0);
    sizes.back() += chunks[i].bytes;
  }
  std::size_t merged = 1;
  std::uint64_t sum = sizes.empty() ? 0 : sizes.back();
  while (merged < sizes.size() && sizes[sizes.size() - 1 - merged] <= 2 * sum) {
    sum += sizes[sizes.size() - 1 - merged];
    ++merged;
  }
  return merged;
}

std::vector<ChunkRef> merge_chunks(const CheckpointStore& store, const std::string& folder,
                                   std::span<const ChunkRef> chunks, std::int64_t horizon_ms,
                                   const StoreChunk& store_chunk) {
  std::vector<ChunkRef> merged;
  const auto read_all = [&](const ChunkRef& chunk, const auto& take) {
    const std::string bytes = read_chunk(store, folder, chunk);
    try {
      for (ByteReader from(bytes); !from.at_end();) take(from);
    } catch (const MalformedBytes& malformed) {
      throw RunError(fmt::format("checkpoint chunk {}/{}/{} {}", store.where(), folder, chunk.name,
                                 malformed.what));
    }
  };
  Clocks clocks;
  Gather merchants(ChunkKind::merchants, store_chunk, merged);
  for (auto chunk = chunks.rbegin(); chunk != chunks.rend(); ++chunk) {
    if (chunk->kind != ChunkKind::merchants) continue;
    read_all(*chunk, [&](ByteReader& from) {
      const MerchantEntry entry = read_merchant_entry(from);
      if (clocks.meet(entry.slot, entry.clock_ms)) merchants.add(entry);
    });
  }
  merchants.finish();
  Gather ids(ChunkKind::ids, store_chunk, merged);
  for (const ChunkRef& chunk : chunks) {
    if (chunk.kind != ChunkKind::ids) continue;
    read_all(chunk, [&](ByteReader& from) {
      const IdEntry id = read_id_entry(from);
      if (!clocks.has_expired(id, horizon_ms)) ids.add(id);
    });
  }
  ids.finish();
  return merged;
}

}  // namespace tidemark
