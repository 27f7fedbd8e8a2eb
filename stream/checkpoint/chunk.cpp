// See chunk.hpp. zstd at its fastest ordinary level: windows are mostly zeros, ids do not compress.
#include "stream/checkpoint/chunk.hpp"

#include <xxhash.h>
#include <zstd.h>

#include <array>
#include <memory>
#include <new>

namespace tidemark {
namespace {

constexpr int zstd_level = 1;
constexpr std::uint64_t raw_bytes_max = std::uint64_t{1} << 30;

}  // namespace

std::string_view name_of(ChunkKind kind) {
  static constexpr std::array<std::string_view, chunk_kind_count> names = {"merchants", "ids",
                                                                           "rest"};
  return names[static_cast<std::size_t>(kind)];
}

std::string seal_chunk(ChunkKind kind, std::string_view entries, ChunkRef& ref) {
  std::string bytes(ZSTD_compressBound(entries.size()), '\0');
  const std::size_t size =
      ZSTD_compress(bytes.data(), bytes.size(), entries.data(), entries.size(), zstd_level);
  if (ZSTD_isError(size)) throw std::bad_alloc();  // with room enough, memory alone can be short
  bytes.resize(size);
  ref.kind = kind;
  ref.raw_bytes = entries.size();
  ref.bytes = bytes.size();
  ref.checksum = XXH3_64bits(bytes.data(), bytes.size());
  return bytes;
}

std::string open_chunk(std::string_view bytes, const ChunkRef& ref) {
  require_bytes(bytes.size() == ref.bytes, "has another length than its manifest says");
  require_bytes(XXH3_64bits(bytes.data(), bytes.size()) == ref.checksum, "has a wrong checksum");
  require_bytes(ref.raw_bytes <= raw_bytes_max, "is too large");
  std::string entries(ref.raw_bytes, '\0');
  const std::size_t size =
      ZSTD_decompress(entries.data(), entries.size(), bytes.data(), bytes.size());
  require_bytes(!ZSTD_isError(size) && size == ref.raw_bytes, "does not decompress");
  return entries;
}

void write_entry(const MerchantEntry& entry, ByteWriter& out) {
  out.number(entry.slot);
  out.signed_number(entry.clock_ms);
  out.text(entry.bytes);
}

MerchantEntry read_merchant_entry(ByteReader& from) {
  MerchantEntry entry;
  entry.slot = static_cast<std::uint32_t>(from.number_to(UINT32_MAX - 1, "slot is too large"));
  entry.clock_ms = from.signed_number();
  entry.bytes = from.text();
  return entry;
}

void write_entry(const IdEntry& entry, ByteWriter& out) {
  out.fixed(entry.key);
  out.fixed(entry.time_ms);
  out.fixed(entry.slot);
}

IdEntry read_id_entry(ByteReader& from) {
  IdEntry entry;
  entry.key = from.fixed<std::uint64_t>();
  entry.time_ms = from.fixed<std::int64_t>();
  entry.slot = from.fixed<std::uint32_t>();
  return entry;
}

}  // namespace tidemark
