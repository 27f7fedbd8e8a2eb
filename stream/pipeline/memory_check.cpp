// See memory_check.hpp.
#include "stream/pipeline/memory_check.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "features/merchant_table.hpp"
#include "features/payer_table.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {

std::size_t machine_memory_bytes() {
  const auto pages = static_cast<std::size_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
  std::size_t bytes = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  // "max" where there is no limit: then nothing is read.
  std::ifstream limit("/sys/fs/cgroup/memory.max");
  std::size_t limit_bytes = 0;
  if (limit >> limit_bytes && limit_bytes > 0) bytes = std::min(bytes, limit_bytes);
  return bytes;
}

namespace {

struct FullSizes {
  std::size_t merchants_bytes = 0, dedup_bytes = 0, payers_bytes = 0;
};

FullSizes full_sizes(const Config& config, const FeaturePlan& plan) {
  MerchantTableOptions table;
  table.merchants_max = config.merchants_max;
  table.dedup_events_max = config.dedup_events_max;
  const MemoryPlan memory = memory_plan(plan, table);
  return {memory.merchants_bytes, memory.dedup_bytes, config.payers_max * bytes_per_payer(plan)};
}

void require_fits(const Config& config, const FullSizes& sizes, std::size_t memory_bytes) {
  const std::size_t all_bytes = sizes.merchants_bytes + sizes.dedup_bytes + sizes.payers_bytes;
  if (all_bytes <= memory_bytes) return;
  constexpr double gib = 1024.0 * 1024.0 * 1024.0;
  const auto in_gib = [](std::size_t bytes) { return static_cast<double>(bytes) / gib; };
  throw UsageError(fmt::format(
      "{}: capacity: a full partition takes {:.1f} GiB (merchants_max {:.1f}, dedup_events_max "
      "{:.1f}, payers_max {:.1f}), and there are {:.1f} GiB: lower what is too large, or ask for "
      "fewer or shorter windows (tidemark features shows their bytes)",
      config.file, in_gib(all_bytes), in_gib(sizes.merchants_bytes), in_gib(sizes.dedup_bytes),
      in_gib(sizes.payers_bytes), in_gib(memory_bytes)));
}

}  // namespace

void check_memory(const Config& config, const FeaturePlan& plan, bool keeps_payers,
                  std::size_t memory_bytes) {
  FullSizes sizes = full_sizes(config, plan);
  if (!keeps_payers) sizes.payers_bytes = 0;
  require_fits(config, sizes, memory_bytes);
}

void check_payer_memory(const Config& config, const FeaturePlan& plan, std::size_t memory_bytes) {
  FullSizes sizes = full_sizes(config, plan);
  sizes.merchants_bytes = 0;
  require_fits(config, sizes, memory_bytes);
}

}  // namespace tidemark
