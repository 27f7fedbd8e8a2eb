// A stage whose device fails in the middle: the call is made again on the CPU, once and for all.
#include "kernels/runtime/device_or_cpu.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

struct Stage {
  virtual ~Stage() = default;
  virtual void run(std::vector<std::string>& out) = 0;
};

struct Device final : Stage {
  int calls_left = 2;
  void run(std::vector<std::string>& out) override {
    out.emplace_back("begun");
    if (calls_left-- == 0) throw DeviceError("the bus is gone");
    out.back() = "device";
  }
};

struct Cpu final : Stage {
  void run(std::vector<std::string>& out) override { out.emplace_back("cpu"); }
};

struct Wrong final : Stage {
  void run(std::vector<std::string>&) override { throw RunError("the output is too short"); }
};

std::string next(DeviceOrCpu<Stage>& stage) {
  std::vector<std::string> out;
  stage.run([&](Stage& driver) {
    out.clear();
    driver.run(out);
  });
  EXPECT_EQ(out.size(), 1U);
  return out.back();
}

TEST(DeviceOrCpu, TheCpuGoesOnWhereTheDeviceFails) {
  int made = 0;
  DeviceOrCpu<Stage> stage(std::make_unique<Device>(), [&made] {
    ++made;
    return std::make_unique<Cpu>();
  });
  EXPECT_EQ(next(stage), "device");
  EXPECT_EQ(next(stage), "device");
  EXPECT_EQ(made, 0);
  EXPECT_EQ(device_failure(), "");
  EXPECT_EQ(next(stage), "cpu");
  EXPECT_EQ(next(stage), "cpu");
  EXPECT_EQ(made, 1);
  EXPECT_EQ(device_failure(), "the bus is gone");
  note_device_failure("and so is the card");
  EXPECT_EQ(device_failure(), "the bus is gone");
}

TEST(DeviceOrCpu, OtherErrorsAreNotTheDevices) {
  int made = 0;
  DeviceOrCpu<Stage> stage(std::make_unique<Wrong>(), [&made] {
    ++made;
    return std::make_unique<Cpu>();
  });
  EXPECT_THROW(next(stage), RunError);
  EXPECT_EQ(made, 0);
}

}  // namespace
}  // namespace tidemark
