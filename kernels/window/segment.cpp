// Chooses the driver of a segmenter.
#include "kernels/window/segment.hpp"

#include "kernels/runtime/device_or_cpu.hpp"
#include "kernels/window/segment_drivers.hpp"

namespace tidemark {
namespace {

class DeviceOrCpuSegmenter final : public Segmenter {
 public:
  DeviceOrCpuSegmenter() : driver_(make_segmenter_cuda(), make_segmenter_cpu) {}

  void run(std::span<const std::uint32_t> slots, std::uint32_t slot_count, Segments& out) override {
    driver_.run([&](Segmenter& driver) { driver.run(slots, slot_count, out); });
  }

 private:
  DeviceOrCpu<Segmenter> driver_;
};

}  // namespace

std::unique_ptr<Segmenter> make_segmenter(Backend backend) {
  if (backend == Backend::cuda) return std::make_unique<DeviceOrCpuSegmenter>();
  return make_segmenter_cpu();
}

}  // namespace tidemark
