// The records of one kind of key in device memory and the launches over them. window_cuda.cu brings
// batches here and back; benchmarks stay on the device. One stream at a time uses one of these.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/runtime/device_cuda.hpp"
#include "kernels/window/device_plan.hpp"
#include "kernels/window/read_body.hpp"
#include "kernels/window/window_cuda.hpp"

namespace tidemark {

/// A batch on the device.
struct WindowBatch {
  const WindowRow* rows = nullptr;
  const std::uint32_t* slots = nullptr;   // [row]
  const std::uint32_t* order = nullptr;   // Segments
  const std::uint32_t* begins = nullptr;  // [group]
  const std::uint32_t* longs = nullptr;   // the groups that get a block
  std::uint32_t groups = 0, long_count = 0;
  float* matrix = nullptr;
  std::size_t stride = 0;  // floats from one row to the next
};

class DeviceWindows {
 public:
  DeviceWindows(const WindowPlan& plan, const WindowPlanView& view, std::uint16_t zone,
                WindowTuning tuning);

  /// Waits for the stream where something has to grow.
  void reserve(std::uint32_t slots, const gpu::Stream& stream);
  void need_zone(std::uint16_t id);
  void apply(const WindowBatch& batch, const gpu::Stream& stream);
  /// Sets the plan's columns to NaN in the rows that have no slot.
  void write_no_key(const WindowBatch& batch, std::uint32_t rows, const gpu::Stream& stream) const;
  void begin_undo();
  void roll_back(const gpu::Stream& stream);

  std::uint32_t record_bytes() const { return plan_.windows.record_bytes; }
  const unsigned char* record(std::uint32_t slot) const;
  const WindowTuning& tuning() const { return tuning_; }

 private:
  using Page = gpu::DeviceBuffer<unsigned char>;
  /// The pre-images of one batch: of group g, or none where slots[g] is UINT32_MAX.
  struct Undo {
    gpu::DeviceBuffer<std::uint32_t> slots;
    gpu::DeviceBuffer<unsigned char> images;
    std::uint32_t groups = 0;
  };

  template <class T>
  const T* keep(const std::vector<T>& values);
  void sort_reads(const WindowPlan& plan);
  void save(const WindowBatch& batch, const gpu::Stream& stream);

  WindowTuning tuning_;
  std::uint16_t zone_;
  DevicePlan plan_;
  std::vector<std::unique_ptr<Page>> constants_, pages_;
  gpu::DeviceBuffer<unsigned char*> page_table_;
  std::vector<ZoneView> zones_;
  gpu::DeviceBuffer<Fraction> numbers_;
  std::uint32_t shared_bytes_ = 0;  // 0: the numbers do not fit and are in global memory
  bool logging_ = false;
  std::uint32_t epoch_ = 0;
  gpu::DeviceBuffer<std::uint32_t> epochs_;  // [slot] of the log that has it
  std::uint32_t epoch_slots_ = 0;
  std::vector<std::unique_ptr<Undo>> undos_;
  std::size_t undo_count_ = 0;
};

}  // namespace tidemark
