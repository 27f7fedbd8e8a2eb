// The ways a command ends badly. A bad row is none of them: it is a RowError in the batch, counted
// and routed. Libraries throw these and never print or exit; tools/main turns them into one line on
// stderr and the exit status.
#pragma once

#include <stdexcept>
#include <string>

namespace tidemark {

/// Wrong usage or configuration: exit status 2. The message names the file and line, or the option.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The run failed: exit status 1. The message says what, where and what to do.
class RunError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A call to the device failed. Its errors stay: the process gets no more out of it, but has what
/// it needs to go on without (kernels/runtime/device_or_cpu.hpp).
class DeviceError : public RunError {
 public:
  using RunError::RunError;
};

}  // namespace tidemark
