// Whether the state that a configuration allows fits into the machine, asked before anything is
// read. Tables grow with use, so without this the answer would come after days, from the kernel.
#pragma once

#include <cstddef>

#include "features/plan.hpp"
#include "stream/pipeline/config.hpp"

namespace tidemark {

/// What this process may use: the machine's memory, or its control group's limit where that is
/// lower.
std::size_t machine_memory_bytes();

/// Throws UsageError, naming the settings, when one partition's tables at their full size take more
/// than `memory_bytes`; those of payers only where this lane keeps them.
void check_memory(const Config& config, const FeaturePlan& plan, bool keeps_payers,
                  std::size_t memory_bytes);
/// The same for a partition of the stage that keeps payers alone.
void check_payer_memory(const Config& config, const FeaturePlan& plan, std::size_t memory_bytes);

}  // namespace tidemark
