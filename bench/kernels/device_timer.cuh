// Time on the device, between two events of a stream: what a kernel takes, without the launch.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/runtime/device_cuda.hpp"

namespace tidemark {

class DeviceTimer {
 public:
  DeviceTimer() {
    TIDEMARK_CUDA_CHECK(cudaEventCreate(&begin_));
    TIDEMARK_CUDA_CHECK(cudaEventCreate(&end_));
  }
  ~DeviceTimer() {
    (void)cudaEventDestroy(begin_);
    (void)cudaEventDestroy(end_);
  }
  DeviceTimer(const DeviceTimer&) = delete;
  DeviceTimer& operator=(const DeviceTimer&) = delete;

  /// Queues `work` on `stream`, waits for it, and returns what it took. At least a nanosecond: a
  /// runtime to test with has no clock of its own.
  template <class Work>
  double seconds(const gpu::Stream& stream, Work&& work) {
    TIDEMARK_CUDA_CHECK(cudaEventRecord(begin_, stream.get()));
    work();
    TIDEMARK_CUDA_CHECK(cudaGetLastError());
    TIDEMARK_CUDA_CHECK(cudaEventRecord(end_, stream.get()));
    TIDEMARK_CUDA_CHECK(cudaEventSynchronize(end_));
    float milliseconds = 0;
    TIDEMARK_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin_, end_));
    return milliseconds > 1e-6f ? milliseconds * 1e-3 : 1e-9;
  }

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

}  // namespace tidemark
