// Windows of one kind of key on the device: its records live there, a batch's rows go there, rows
// of features come back. Keys, clocks, duplicates and outcomes are the host's. No CUDA header is
// needed to include this: both flavours define it, the CPU flavour by refusing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/window/row_body.hpp"
#include "kernels/window/segment.hpp"
#include "kernels/window/window_plan.hpp"
#include "kernels/window/window_tuning.hpp"

namespace tidemark {

class WindowsCuda {
 public:
  virtual ~WindowsCuda() = default;

  /// Makes room for slots below `count`; new records are empty. The records never move.
  virtual void reserve(std::uint32_t count) = 0;
  /// Brings the rows of `segments` (made of `slots`) into their records, in order, and writes the
  /// plan's columns just after row r to matrix row rows[r].matrix_row: NaN where the row does not
  /// count. Columns of others in the matrix stay. Slots are below reserve()'s count.
  virtual void apply(std::span<const WindowRow> rows, std::span<const std::uint32_t> slots,
                     const Segments& segments, FeatureMatrix& matrix) = 0;

  /// From here on apply() keeps what records were before their first change.
  virtual void begin_undo() = 0;
  /// Makes every record what it was at begin_undo(), and forgets the log.
  virtual void roll_back() = 0;

  /// Copies a record out.
  virtual void record(std::uint32_t slot, std::span<unsigned char> out) = 0;
};

/// `zone` is the zone id that new records have. Throws UsageError where CUDA is not compiled in,
/// RunError when the device fails.
std::unique_ptr<WindowsCuda> make_windows_cuda(const WindowPlan& plan, const WindowPlanView& view,
                                               std::uint16_t zone, WindowTuning tuning = {});

}  // namespace tidemark
