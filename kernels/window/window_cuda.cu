// Windows on the device: one launch takes a batch through its records. Blocks in front take one key
// of many rows each, the others a key per warp, so that the long ones start first. Rows of a key
// are worked on in order by one team, and keys share nothing: no launch shape changes a bit.
#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/base/failure.hpp"
#include "kernels/runtime/cuda_probe.hpp"
#include "kernels/window/device_windows.cuh"
#include "kernels/window/window_kernels.cuh"

namespace tidemark {
namespace {

constexpr std::uint32_t shared_bytes_max = 48 * 1024;  // without asking for more

/// How many numbers stand between a read and the record.
std::vector<std::uint32_t> levels_of(const WindowPlan& plan, std::uint32_t numbers) {
  std::vector<std::uint32_t> of_number(numbers, 0), levels;
  for (const ReadStep& step : plan.reads) {
    std::uint32_t level = 0;
    const auto after = [&](std::uint32_t number) {
      level = std::max(level, of_number[number] + 1);
    };
    if (step.kind == ReadKind::net) {
      for (std::uint32_t o = step.a; o < step.b; ++o) {
        const std::int32_t operand = plan.operands[o];
        after(static_cast<std::uint32_t>(operand < 0 ? ~operand : operand));
      }
    } else if (step.kind >= ReadKind::ratio) {
      after(step.a);
      after(step.b);
    }
    of_number[step.target] = level;
    levels.push_back(level);
  }
  return levels;
}

Records records_of(unsigned char* const* pages, const DevicePlan& plan) {
  return {pages, plan.windows.record_bytes};
}

}  // namespace

template <class T>
const T* DeviceWindows::keep(const std::vector<T>& values) {
  constants_.push_back(std::make_unique<Page>());
  const std::size_t bytes = values.size() * sizeof(T);
  auto* const memory = constants_.back()->reserve(std::max<std::size_t>(bytes, 1));
  if (bytes != 0) {
    TIDEMARK_CUDA_CHECK(cudaMemcpy(memory, values.data(), bytes, cudaMemcpyHostToDevice));
  }
  return reinterpret_cast<const T*>(memory);
}

DeviceWindows::DeviceWindows(const WindowPlan& plan, const WindowPlanView& view, std::uint16_t zone,
                             WindowTuning tuning)
    : tuning_(tuning), zone_(zone) {
  if (probe_cuda().devices == 0) {
    throw RunError("backend: no CUDA device answers (" + probe_cuda().problem +
                   "); use backend cpu");
  }
  WindowPlanView& mine = plan_.windows;
  mine = view;
  mine.rings = keep(plan.rings);
  mine.groups = keep(plan.groups);
  mine.shifts = keep(plan.shifts);
  mine.types = keep(plan.types);
  mine.ring_updates = keep(plan.ring_updates);
  mine.updates = keep(plan.updates);
  mine.members = keep(plan.members);
  mine.lasts = keep(plan.lasts);
  mine.decays = keep(plan.decays);
  mine.decay_steps = keep(plan.decay_steps);
  mine.factors = keep(plan.factors);
  mine.tails = keep(plan.tails);
  mine.tail_steps = keep(plan.tail_steps);
  mine.matured_scans = keep(plan.matured_scans);
  mine.scans = keep(plan.scans);
  mine.few_scans = keep(plan.few_scans);
  mine.amount_tests = keep(plan.amount_tests);
  mine.operands = keep(plan.operands);
  mine.columns = keep(plan.columns);
  mine.estimates = keep(plan.estimates);
  mine.series = keep(plan.series);
  mine.entries = keep(plan.entries);
  sort_reads(plan);
  std::vector<std::uint32_t> step_rings(plan.updates.size());
  for (const RingUpdate& update : plan.ring_updates) {
    std::fill(step_rings.begin() + update.step_begin, step_rings.begin() + update.step_end,
              update.ring);
  }
  plan_.step_rings = keep(step_rings);
  plan_.exponents =
      keep(std::vector<std::int8_t>(currency_table(), currency_table() + currency_table_bytes));
  const std::size_t bytes = tuning_.threads / 32 * sizeof(Fraction) * mine.number_count;
  if (bytes <= shared_bytes_max) shared_bytes_ = static_cast<std::uint32_t>(bytes);
  need_zone(zone);
}

/// Level by level, and in a level kind by kind: lanes side by side then do the same.
void DeviceWindows::sort_reads(const WindowPlan& plan) {
  const std::vector<std::uint32_t> levels = levels_of(plan, plan_.windows.number_count);
  std::vector<std::uint32_t> order(plan.reads.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(levels[a], plan.reads[a].kind) < std::pair(levels[b], plan.reads[b].kind);
  });
  std::vector<ReadStep> reads;
  std::vector<std::uint32_t> begins;
  for (const std::uint32_t i : order) {
    while (begins.size() <= levels[i]) begins.push_back(static_cast<std::uint32_t>(reads.size()));
    reads.push_back(plan.reads[i]);
  }
  plan_.level_count = static_cast<std::uint32_t>(begins.size());
  begins.push_back(static_cast<std::uint32_t>(reads.size()));
  plan_.windows.reads = keep(reads);
  plan_.levels = keep(begins);
}

void DeviceWindows::need_zone(std::uint16_t id) {
  if (id < zones_.size()) return;
  while (zones_.size() <= id) {
    const ZoneView from = zone_of_id(static_cast<std::uint16_t>(zones_.size())).view();
    ZoneView zone = from;
    zone.from_ms = keep(std::vector(from.from_ms, from.from_ms + from.spans));
    zone.offset_ms = keep(std::vector(from.offset_ms, from.offset_ms + from.spans));
    zone.grid = keep(std::vector(from.grid, from.grid + from.cells));
    zones_.push_back(zone);
  }
  // A launch that still runs may read the old table: the copy below waits, the old one is kept.
  plan_.zones = keep(zones_);
}

void DeviceWindows::reserve(std::uint32_t slots, const gpu::Stream& stream) {
  const std::size_t before = pages_.size();
  while (pages_.size() * page_records < slots) {
    const std::size_t bytes = static_cast<std::size_t>(record_bytes()) * page_records;
    pages_.push_back(std::make_unique<Page>());
    unsigned char* const page = pages_.back()->reserve(bytes);
    TIDEMARK_CUDA_CHECK(cudaMemsetAsync(page, 0, bytes, stream.get()));
    start_records<<<page_records / threads_max, threads_max, 0, stream.get()>>>(
        page, record_bytes(), zone_);
    TIDEMARK_CUDA_CHECK(cudaGetLastError());
  }
  if (pages_.size() == before) return;
  std::vector<unsigned char*> table;
  for (const auto& page : pages_) table.push_back(page->get());
  stream.wait();
  page_table_.reserve(table.size());
  TIDEMARK_CUDA_CHECK(cudaMemcpy(page_table_.get(), table.data(), table.size() * sizeof(table[0]),
                                 cudaMemcpyHostToDevice));
}

void DeviceWindows::apply(const WindowBatch& batch, const gpu::Stream& stream) {
  if (batch.groups == 0) return;
  if (logging_) save(batch, stream);
  const auto warps = static_cast<std::uint32_t>(tuning_.threads / 32);
  const std::uint32_t blocks = batch.long_count + (batch.groups + warps - 1) / warps;
  Fraction* numbers = nullptr;
  if (shared_bytes_ == 0) {
    const std::size_t count = std::size_t{blocks} * warps * plan_.windows.number_count;
    stream.wait();
    numbers = numbers_.reserve(count);
  }
  run_windows<<<blocks, tuning_.threads, shared_bytes_, stream.get()>>>(
      plan_, records_of(page_table_.get(), plan_), batch, tuning_.long_rows, numbers);
  TIDEMARK_CUDA_CHECK(cudaGetLastError());
}

void DeviceWindows::write_no_key(const WindowBatch& batch, std::uint32_t rows,
                                 const gpu::Stream& stream) const {
  const auto warps = static_cast<std::uint32_t>(tuning_.threads / 32);
  tidemark::write_no_key<<<(rows + warps - 1) / warps, tuning_.threads, 0, stream.get()>>>(
      plan_.windows, batch, rows);
  TIDEMARK_CUDA_CHECK(cudaGetLastError());
}

void DeviceWindows::begin_undo() {
  logging_ = true;
  undo_count_ = 0;
  ++epoch_;
}

void DeviceWindows::save(const WindowBatch& batch, const gpu::Stream& stream) {
  const auto slots = static_cast<std::uint32_t>(pages_.size()) * page_records;
  if (epoch_slots_ < slots) {
    gpu::DeviceBuffer<std::uint32_t> grown;
    grown.reserve(slots);
    TIDEMARK_CUDA_CHECK(
        cudaMemsetAsync(grown.get(), 0, slots * sizeof(std::uint32_t), stream.get()));
    if (epoch_slots_ != 0) {
      TIDEMARK_CUDA_CHECK(cudaMemcpyAsync(grown.get(), epochs_.get(),
                                          epoch_slots_ * sizeof(std::uint32_t),
                                          cudaMemcpyDeviceToDevice, stream.get()));
    }
    stream.wait();
    epochs_.swap(grown);
    epoch_slots_ = slots;
  }
  if (undo_count_ == undos_.size()) undos_.push_back(std::make_unique<Undo>());
  Undo& undo = *undos_[undo_count_++];
  undo.groups = batch.groups;
  undo.slots.reserve(batch.groups);
  undo.images.reserve(static_cast<std::size_t>(batch.groups) * record_bytes());
  save_records<<<batch.groups, 128, 0, stream.get()>>>(records_of(page_table_.get(), plan_), batch,
                                                       epoch_, epochs_.get(), undo.slots.get(),
                                                       undo.images.get());
  TIDEMARK_CUDA_CHECK(cudaGetLastError());
}

void DeviceWindows::roll_back(const gpu::Stream& stream) {
  for (std::size_t i = 0; i < undo_count_; ++i) {
    const Undo& undo = *undos_[i];
    restore_records<<<undo.groups, 128, 0, stream.get()>>>(records_of(page_table_.get(), plan_),
                                                           undo.slots.get(), undo.images.get());
    TIDEMARK_CUDA_CHECK(cudaGetLastError());
  }
  logging_ = false;
  undo_count_ = 0;
}

const unsigned char* DeviceWindows::record(std::uint32_t slot) const {
  return pages_[slot >> page_shift]->get() +
         static_cast<std::size_t>(slot & (page_records - 1)) * record_bytes();
}

namespace {

class WindowsOnDevice final : public WindowsCuda {
 public:
  WindowsOnDevice(const WindowPlan& plan, const WindowPlanView& view, std::uint16_t zone,
                  WindowTuning tuning)
      : windows_(plan, view, zone, tuning) {}

  void reserve(std::uint32_t count) override { windows_.reserve(count, stream_); }

  void apply(std::span<const WindowRow> rows, std::span<const std::uint32_t> slots,
             const Segments& segments, FeatureMatrix& matrix) override {
    if (rows.empty()) return;
    for (const WindowRow& row : rows) {
      if (row.role == RowRole::profile) windows_.need_zone(row.zone);
    }
    longs_.clear();
    for (std::uint32_t g = 0; g < segments.groups(); ++g) {
      if (segments.begins[g + 1] - segments.begins[g] > windows_.tuning().long_rows) {
        longs_.push_back(g);
      }
    }
    WindowBatch batch;
    batch.rows = send(rows_, rows);
    batch.slots = send(slots_, slots);
    batch.order = send(order_, std::span(segments.order));
    batch.begins = send(begins_, std::span(segments.begins));
    batch.longs = send(long_groups_, std::span(longs_));
    batch.groups = static_cast<std::uint32_t>(segments.groups());
    batch.long_count = static_cast<std::uint32_t>(longs_.size());
    batch.stride = matrix.features();
    const std::size_t floats = matrix.rows() * matrix.features();
    batch.matrix = matrix_.reserve(floats);
    float* const host = matrix.rows() == 0 ? nullptr : matrix.row(0).data();
    gpu::copy_in(batch.matrix, host, floats, stream_);
    windows_.write_no_key(batch, static_cast<std::uint32_t>(rows.size()), stream_);
    windows_.apply(batch, stream_);
    gpu::copy_out(host, batch.matrix, floats, stream_);
    stream_.wait();
  }

  void begin_undo() override { windows_.begin_undo(); }
  void roll_back() override {
    windows_.roll_back(stream_);
    stream_.wait();
  }

  void record(std::uint32_t slot, std::span<unsigned char> out) override {
    gpu::copy_out(out.data(), windows_.record(slot), windows_.record_bytes(), stream_);
    stream_.wait();
  }

 private:
  template <class T>
  struct Column {
    gpu::PinnedBuffer<T> host;
    gpu::DeviceBuffer<T> device;
  };

  template <class T, class From>
  const T* send(Column<T>& column, From from) {
    T* const staged = column.host.reserve(from.size());
    std::copy(from.begin(), from.end(), staged);
    column.device.reserve(from.size());
    gpu::copy_in(column.device.get(), staged, from.size(), stream_);
    return column.device.get();
  }

  gpu::Stream stream_;
  DeviceWindows windows_;
  Column<WindowRow> rows_;
  Column<std::uint32_t> slots_, order_, begins_, long_groups_;
  std::vector<std::uint32_t> longs_;
  gpu::DeviceBuffer<float> matrix_;
};

}  // namespace

std::unique_ptr<WindowsCuda> make_windows_cuda(const WindowPlan& plan, const WindowPlanView& view,
                                               std::uint16_t zone, WindowTuning tuning) {
  return std::make_unique<WindowsOnDevice>(plan, view, zone, tuning);
}

}  // namespace tidemark
