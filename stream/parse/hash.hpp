// The hash of ids, inline because a payment needs seven of them. Any thread.
#pragma once

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace tidemark {

/// XXH3-64 of the UTF-8 bytes; 0 for the empty string alone, because 0 means absent.
inline std::uint64_t hash_id(std::string_view id) {
  if (id.empty()) return 0;
  const std::uint64_t hash = XXH3_64bits(id.data(), id.size());
  return hash != 0 ? hash : 1;
}

}  // namespace tidemark
