// A chunk: some entries of a checkpoint as one compressed object with a checksum. What the entries
// mean is the pipeline's; here they are a slot, a clock and bytes, enough to merge chunks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/byte_codec.hpp"

namespace tidemark {

enum class ChunkKind : std::uint8_t {
  merchants,  // MerchantEntry, in no order
  ids,        // IdEntry
  rest,       // what belongs to no merchant; one a generation
};
inline constexpr int chunk_kind_count = 3;
std::string_view name_of(ChunkKind kind);

/// What a manifest knows of a chunk.
struct ChunkRef {
  std::string name;  // in the partition's folder
  ChunkKind kind = ChunkKind::merchants;
  std::uint64_t generation = 0;  // later ones replace entries of earlier ones
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;      // as stored
  std::uint64_t raw_bytes = 0;  // of the entries
  std::uint64_t checksum = 0;   // XXH3-64 of the bytes stored
};

/// Compresses and describes; the name is the caller's.
std::string seal_chunk(ChunkKind kind, std::string_view entries, ChunkRef& ref);
/// The entries. Throws MalformedBytes unless the bytes are exactly those that `ref` describes.
std::string open_chunk(std::string_view bytes, const ChunkRef& ref);

struct MerchantEntry {
  std::uint32_t slot = 0;
  std::int64_t clock_ms = 0;
  std::string_view bytes;
};
void write_entry(const MerchantEntry& entry, ByteWriter& out);
/// Throws MalformedBytes.
MerchantEntry read_merchant_entry(ByteReader& from);

/// An accepted event id of the merchant at `slot`.
struct IdEntry {
  std::uint64_t key = 0;
  std::int64_t time_ms = 0;
  std::uint32_t slot = 0;
};
void write_entry(const IdEntry& entry, ByteWriter& out);
IdEntry read_id_entry(ByteReader& from);

}  // namespace tidemark
