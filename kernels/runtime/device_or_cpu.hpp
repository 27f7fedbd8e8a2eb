// A stage on the device that goes on on the CPU when the device fails: both drivers give the same
// bits, and what a call works on lies in the host's memory, so the call is simply made again.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "kernels/base/failure.hpp"

namespace tidemark {

/// What the device said when this process gave it up; empty while it has not. Any thread.
std::string device_failure();
/// Keeps the first words.
void note_device_failure(const std::string& words);

/// `Stage` is an interface that both drivers implement. Used by one thread at a time.
template <class Stage>
class DeviceOrCpu {
 public:
  /// `make_cpu` is called once, when the device fails.
  DeviceOrCpu(std::unique_ptr<Stage> device, std::function<std::unique_ptr<Stage>()> make_cpu)
      : stage_(std::move(device)), make_cpu_(std::move(make_cpu)) {}

  const Stage& stage() const { return *stage_; }

  /// `call(Stage&)` writes all of its result, whatever an earlier call of it has left there.
  template <class Call>
  void run(const Call& call) {
    try {
      return call(*stage_);
    } catch (const DeviceError& error) {
      if (!make_cpu_) throw;
      note_device_failure(error.what());
    }
    stage_ = std::exchange(make_cpu_, nullptr)();
    call(*stage_);
  }

 private:
  std::unique_ptr<Stage> stage_;
  std::function<std::unique_ptr<Stage>()> make_cpu_;
};

}  // namespace tidemark
