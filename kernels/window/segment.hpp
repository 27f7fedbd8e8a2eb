// Grouping the rows of a batch by merchant: a stable sort on the slot, and where each group begins.
// One of the stages that run on either backend with the same result.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/runtime/backend.hpp"

namespace tidemark {

/// `order`: row numbers, grouped by slot (ascending), within a slot in input order; rows whose slot
/// is no_slot (UINT32_MAX) are left out. `begins`: start of each group in `order`, then
/// order.size().
struct Segments {
  std::vector<std::uint32_t> order;
  std::vector<std::uint32_t> begins;
  std::size_t groups() const { return begins.empty() ? 0 : begins.size() - 1; }
};

class Segmenter {
 public:
  virtual ~Segmenter() = default;
  /// `slots[row]` < slot_count, or UINT32_MAX for a row to leave out.
  virtual void run(std::span<const std::uint32_t> slots, std::uint32_t slot_count,
                   Segments& out) = 0;
};

std::unique_ptr<Segmenter> make_segmenter(Backend backend);

}  // namespace tidemark
