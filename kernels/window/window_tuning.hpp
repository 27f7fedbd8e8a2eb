// Tuning numbers of the window kernel. They change speed, never a bit. Derived from how the work
// falls on warps, not yet measured on a device.
#pragma once

#include <cstdint>

namespace tidemark {

struct WindowTuning {
  int threads = 256;             // of a block: eight keys, or one that has many rows
  std::uint32_t long_rows = 64;  // a key with more gets a block to itself
};

}  // namespace tidemark
