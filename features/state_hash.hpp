// A running XXH3-64 over the parts of a state, where each part's length counts too.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidemark {

struct StateHash {
  std::uint64_t value = 0;
  void add(const void* bytes, std::size_t count) {
    value = XXH3_64bits_withSeed(bytes, count, value + count);
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  template <typename T>
  void add_value(const T& number) {
    add(&number, sizeof(number));
  }
};

}  // namespace tidemark
