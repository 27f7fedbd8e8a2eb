// The kernels of the windows on the device: a batch through its records, and records in and out of
// the undo log. window_cuda.cu is their one user and owns all memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/window/device_windows.cuh"
#include "kernels/window/window_team.cuh"

namespace tidemark {
namespace {

constexpr std::uint32_t page_shift = 12;  // 4096 records
constexpr std::uint32_t page_records = 1U << page_shift;
constexpr int threads_max = 256;

struct Records {
  unsigned char* const* pages;
  std::uint32_t record_bytes;
  __device__ unsigned char* at(std::uint32_t slot) const {
    return pages[slot >> page_shift] +
           static_cast<std::size_t>(slot & (page_records - 1)) * record_bytes;
  }
};

__global__ void start_records(unsigned char* page, std::uint32_t record_bytes, std::uint16_t zone) {
  const std::uint32_t record = blockIdx.x * blockDim.x + threadIdx.x;
  if (record < page_records) {
    field_at<RecordHead>(page + static_cast<std::size_t>(record) * record_bytes, 0).zone = zone;
  }
}

/// All rows of one group.
template <class Team>
__device__ void run_group(const DevicePlan& plan, const Records& records, const WindowBatch& batch,
                          std::uint32_t group, Fraction* numbers) {
  const std::uint32_t begin = batch.begins[group], end = batch.begins[group + 1];
  unsigned char* const record = records.at(batch.slots[batch.order[begin]]);
  RecordHead head = field_at<RecordHead>(record, 0);
  Team::sync();  // nobody writes a head that another thread has not read
  for (std::uint32_t at = begin; at < end; ++at) {
    const WindowRow row = batch.rows[batch.order[at]];
    const RowEffect effect = settle_row(row, plan.exponents, head);
    if (effect.empties) team_empty<Team>(plan.windows, record, head);
    if (row.role == RowRole::profile) team_set_group<Team>(plan.windows, record, row.group);
    const bool reads = row.matrix_row != UINT32_MAX;
    float* const out = batch.matrix + (reads ? row.matrix_row * batch.stride : 0);
    if (effect.counts) {
      const WindowEvent event = event_of(row);
      const EventPlace place = place_of(event, plan.zones[head.zone]);
      team_apply<Team>(plan, record, event, place, head);
      if (reads) {
        team_read<Team>(plan, {record, &event, place.bits}, head.exponent, numbers, out);
      }
    } else if (reads) {
      for (std::uint32_t c = Team::rank(); c < plan.windows.column_count; c += Team::size()) {
        out[plan.windows.columns[c].column] = std::numeric_limits<float>::quiet_NaN();
      }
    }
  }
}

__global__ void __launch_bounds__(threads_max, 2)
    run_windows(const DevicePlan plan, const Records records, const WindowBatch batch,
                std::uint32_t long_rows, Fraction* global_numbers) {
  extern __shared__ __align__(16) unsigned char shared[];
  const std::uint32_t warps = blockDim.x / 32, warp = threadIdx.x / 32;
  Fraction* numbers = reinterpret_cast<Fraction*>(shared);
  if (global_numbers != nullptr) {
    numbers =
        global_numbers + static_cast<std::size_t>(blockIdx.x) * warps * plan.windows.number_count;
  }
  if (blockIdx.x < batch.long_count) {
    run_group<BlockTeam>(plan, records, batch, batch.longs[blockIdx.x], numbers);
    return;
  }
  const std::uint32_t group = (blockIdx.x - batch.long_count) * warps + warp;
  if (group >= batch.groups) return;
  if (batch.begins[group + 1] - batch.begins[group] > long_rows) return;
  run_group<WarpTeam>(plan, records, batch, group, numbers + warp * plan.windows.number_count);
}

/// Rows that have no key: the plan's columns are NaN.
__global__ void write_no_key(const WindowPlanView plan, const WindowBatch batch,
                             std::uint32_t rows) {
  const std::uint32_t row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  if (row >= rows || batch.slots[row] != UINT32_MAX) return;
  if (batch.rows[row].matrix_row == UINT32_MAX) return;
  float* const out = batch.matrix + batch.rows[row].matrix_row * batch.stride;
  for (std::uint32_t c = threadIdx.x % 32; c < plan.column_count; c += 32) {
    out[plan.columns[c].column] = std::numeric_limits<float>::quiet_NaN();
  }
}

__device__ void copy_record(unsigned char* to, const unsigned char* from, std::uint32_t bytes) {
  for (std::uint32_t at = 16 * threadIdx.x; at < bytes; at += 16 * blockDim.x) {
    *reinterpret_cast<uint4*>(to + at) = *reinterpret_cast<const uint4*>(from + at);
  }
}

/// A block per group: its record, unless the log has it already.
__global__ void save_records(const Records records, const WindowBatch batch, std::uint32_t epoch,
                             std::uint32_t* epochs, std::uint32_t* slots, unsigned char* images) {
  const std::uint32_t slot = batch.slots[batch.order[batch.begins[blockIdx.x]]];
  const bool known = epochs[slot] == epoch;
  __syncthreads();
  if (threadIdx.x == 0) {
    slots[blockIdx.x] = known ? UINT32_MAX : slot;
    epochs[slot] = epoch;
  }
  if (known) return;
  copy_record(images + static_cast<std::size_t>(blockIdx.x) * records.record_bytes,
              records.at(slot), records.record_bytes);
}

__global__ void restore_records(const Records records, const std::uint32_t* slots,
                                const unsigned char* images) {
  const std::uint32_t slot = slots[blockIdx.x];
  if (slot == UINT32_MAX) return;
  copy_record(records.at(slot),
              images + static_cast<std::size_t>(blockIdx.x) * records.record_bytes,
              records.record_bytes);
}

}  // namespace
}  // namespace tidemark
