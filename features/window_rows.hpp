// The rows of an admitted batch as the device's windows take them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "features/plan_tables.hpp"
#include "kernels/base/civil_time.hpp"
#include "kernels/data/event_batch.hpp"
#include "kernels/window/row_body.hpp"

namespace tidemark {

/// One row for each of the batch's; `default_zone` is that of merchants whose profile names none.
/// Merchants and payers share them. `groups` are the plan's.
void make_window_rows(const EventBatch& batch, const Zone& default_zone, const TableGroups& groups,
                      std::span<const std::uint32_t> matrix_row, std::vector<WindowRow>& rows);

}  // namespace tidemark
