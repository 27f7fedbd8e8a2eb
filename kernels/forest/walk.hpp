// Walking with several rows or trees in flight at once, so that the waits of one hide behind the
// others: for small batches, and for trees that are too big to be bit-sliced. The same decisions as
// forest_body.hpp takes, one at a time.
#pragma once

#include <cstdint>

#include "kernels/forest/forest_body.hpp"

namespace tidemark {

inline constexpr int walks_in_flight = 16;

/// Walks `count` <= walks_in_flight cursors to their leaves. Cursor k starts at node[k] (< 0: it is
/// there already) with row[k]; node[k] becomes ~leaf.
inline void walk_together(const ForestImageView& image, std::int32_t* node, const float* const* row,
                          int count) {
  bool more = true;
  while (more) {
    more = false;
    for (int k = 0; k < count; ++k) {
      const std::int32_t at = node[k];
      if (at < 0) continue;
      node[k] = step(image, at, row[k]);
      more = true;
    }
  }
}

}  // namespace tidemark
