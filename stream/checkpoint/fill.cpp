// See fill.hpp. Generations go from the newest to the oldest and the first entry of a slot counts;
// the chunks of one generation have each slot at most once, so workers share them out.
#include "stream/checkpoint/fill.hpp"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <span>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/compaction.hpp"

namespace tidemark {
namespace {

class Filler {
 public:
  Filler(const CheckpointStore& store, const std::string& folder, CheckpointTarget& target,
         ThreadPool& pool, std::uint32_t slots)
      : store_(store), folder_(folder), target_(target), pool_(pool), filled_(slots, 0) {}

  void slots(std::span<const ChunkRef> chunks) {
    for (std::size_t end = chunks.size(); end > 0;) {
      std::size_t begin = end - 1;
      while (begin > 0 && chunks[begin - 1].generation == chunks[end - 1].generation) --begin;
      one_generation(chunks.subspan(begin, end - begin));
      end = begin;
    }
    target_.end_slots();
  }

  void ids(std::span<const ChunkRef> chunks) {
    each(chunks, ChunkKind::ids, [&](ByteReader& from) {
      while (!from.at_end()) target_.take_id(read_id_entry(from));
    });
  }

  void rest(std::span<const ChunkRef> chunks) {
    int found = 0;
    each(chunks, ChunkKind::rest, [&](ByteReader& from) {
      target_.take_rest(from);
      ++found;
    });
    if (found != 1) throw RunError("the checkpoint has not one chunk of the partition's own state");
  }

 private:
  template <typename Take>
  void each(std::span<const ChunkRef> chunks, ChunkKind kind, const Take& take) {
    for (const ChunkRef& chunk : chunks) {
      if (chunk.kind == kind) one(chunk, take);
    }
  }

  template <typename Take>
  void one(const ChunkRef& chunk, const Take& take) {
    const std::string bytes = read_chunk(store_, folder_, chunk);
    try {
      ByteReader from(bytes);
      take(from);
    } catch (const MalformedBytes& malformed) {
      throw RunError(fmt::format("checkpoint chunk {}/{}/{} {}", store_.where(), folder_,
                                 chunk.name, malformed.what));
    }
  }

  void one_generation(std::span<const ChunkRef> chunks) {
    std::mutex mutex;
    std::exception_ptr failure;  // the first: an exception must not leave a worker
    pool_.parallel_for(chunks.size(), 1, [&](std::size_t begin, std::size_t end, int) {
      try {
        each(chunks.subspan(begin, end - begin), ChunkKind::merchants, [&](ByteReader& from) {
          while (!from.at_end()) take(read_merchant_entry(from));
        });
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    });
    if (failure) std::rethrow_exception(failure);
  }

  void take(const MerchantEntry& entry) {
    require_bytes(entry.slot < filled_.size(), "has a slot beyond the number of merchants");
    if (filled_[entry.slot] != 0) return;  // a later generation had it
    ByteReader bytes(entry.bytes);
    target_.take_slot(entry.slot, bytes);
    filled_[entry.slot] = 1;
  }

  const CheckpointStore& store_;
  const std::string& folder_;
  CheckpointTarget& target_;
  ThreadPool& pool_;
  std::vector<std::uint8_t> filled_;  // [slot]
};

}  // namespace

void fill(const CheckpointStore& store, const std::string& folder,
          const CheckpointManifest& manifest, CheckpointTarget& target, ThreadPool& pool) {
  Filler filler(store, folder, target, pool, manifest.merchants);
  filler.slots(manifest.chunks);
  filler.ids(manifest.chunks);
  filler.rest(manifest.chunks);
}

std::uint64_t ids_in(const CheckpointManifest& manifest) {
  std::uint64_t ids = 0;
  for (const ChunkRef& chunk : manifest.chunks) {
    if (chunk.kind == ChunkKind::ids) ids += chunk.entries;
  }
  return ids;
}

}  // namespace tidemark
