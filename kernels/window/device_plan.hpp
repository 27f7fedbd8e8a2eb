// A plan in device memory and what the team of a record needs beside it. Pointers only: it goes to
// kernels by value.
#pragma once

#include <cstdint>

#include "kernels/base/civil_time.hpp"
#include "kernels/window/window_plan.hpp"

namespace tidemark {

/// The plan on the device and what the team needs beside it.
struct DevicePlan {
  WindowPlanView windows;                     // its reads sorted by level
  const std::uint32_t* step_rings = nullptr;  // [update step] its ring
  const std::uint32_t* levels = nullptr;      // [level] its first read; then read_count
  std::uint32_t level_count = 0;
  const ZoneView* zones = nullptr;         // [zone id]
  const std::int8_t* exponents = nullptr;  // currency_table()
};

}  // namespace tidemark
