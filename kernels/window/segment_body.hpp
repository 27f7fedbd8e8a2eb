// The two decisions inside segmentation, written once for host and device: where a row sorts, and
// whether a sorted row begins a group. The drivers do the sorting, each in its own way.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"

namespace tidemark {

/// Rows to leave out sort behind every merchant, so that they form one tail that is cut off.
TIDEMARK_HD inline std::uint32_t segment_key(std::uint32_t slot, std::uint32_t slot_count) {
  return slot < slot_count ? slot : slot_count;
}

/// `keys` are sorted; position 0 always begins a group, the tail of left-out rows is one too.
TIDEMARK_HD inline bool begins_segment(const std::uint32_t* keys, std::uint32_t position) {
  return position == 0 || keys[position] != keys[position - 1];
}

/// Bits that tell keys 0 .. slot_count apart.
TIDEMARK_HD inline int segment_key_bits(std::uint32_t slot_count) {
  int bits = 0;
  for (std::uint32_t rest = slot_count; rest != 0; rest >>= 1) ++bits;
  return bits == 0 ? 1 : bits;
}

}  // namespace tidemark
