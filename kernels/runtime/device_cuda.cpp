// Owners of CUDA things, the calls behind them, and the probe of the CUDA flavour. Host code only:
// it needs the CUDA headers but not nvcc.
#include "kernels/runtime/device_cuda.hpp"

#include <algorithm>
#include <atomic>
#include <string>
#include <string_view>

#include "kernels/base/failure.hpp"
#include "kernels/runtime/cuda_probe.hpp"

namespace tidemark {
namespace {

std::atomic<std::uint64_t> allocations{0};

/// The oldest target of tools/cmake/cuda.cmake.
constexpr int capability_min = 75;

CudaProbe ask() {
  CudaProbe probe;
  probe.compiled = true;
  const cudaError_t error = cudaGetDeviceCount(&probe.devices);
  if (error != cudaSuccess) {
    // The error is not sticky here, but the runtime would report it again at the next launch.
    (void)cudaGetLastError();
    probe.devices = 0;
    probe.problem = cudaGetErrorString(error);
    return probe;
  }
  if (probe.devices == 0) {
    probe.problem = "the driver reports no device";
    return probe;
  }
  cudaDeviceProp properties{};
  TIDEMARK_CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
  probe.device = std::string(properties.name) + " (sm_" + std::to_string(properties.major) +
                 std::to_string(properties.minor) + ")";
  if (properties.major * 10 + properties.minor < capability_min) {
    // The runtime still counts it, but no kernel here has code for it.
    probe.devices = 0;
    probe.problem = probe.device + " is too old: the kernels need sm_75 or newer";
    probe.device.clear();
  }
  return probe;
}

}  // namespace

const CudaProbe& probe_cuda() {
  static const CudaProbe probe = ask();
  return probe;
}

std::uint64_t cuda_allocations() {
  return allocations.load(std::memory_order_relaxed);
}

namespace gpu {

void fail(cudaError_t error, const char* call, const char* file, int line) {
  std::string_view place(file);
  // A path is only useful from the root of the sources on; where they lay at build time is noise.
  if (const auto root = place.rfind("kernels/"); root != std::string_view::npos) {
    place.remove_prefix(root);
  }
  std::string message(place);
  message.append(":").append(std::to_string(line)).append(": ").append(cudaGetErrorName(error));
  message.append(" (").append(cudaGetErrorString(error)).append(") from ").append(call);
  message += error == cudaErrorMemoryAllocation
                 ? "; free device memory, lower batch.events_max, or use backend cpu"
                 : "; check the device with nvidia-smi, or use backend cpu";
  throw DeviceError(message);
}

Stream::Stream() {
  TIDEMARK_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

Stream::~Stream() {
  // A failure here has been reported by the call that caused it; a destructor has no one to tell.
  (void)cudaStreamSynchronize(stream_);
  (void)cudaStreamDestroy(stream_);
}

void Stream::wait() const {
  TIDEMARK_CUDA_CHECK(cudaStreamSynchronize(stream_));
}

Memory::~Memory() {
  release();
}

void Memory::release() noexcept {
  if (data_ == nullptr) return;
  (void)(where_ == Where::device ? cudaFree(data_) : cudaFreeHost(data_));
  data_ = nullptr;
  bytes_ = 0;
}

void* Memory::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return data_;
  const std::size_t grown = std::max({bytes, bytes_ + bytes_ / 2, std::size_t{256}});
  release();
  if (where_ == Where::device) {
    TIDEMARK_CUDA_CHECK(cudaMalloc(&data_, grown));
  } else {
    TIDEMARK_CUDA_CHECK(cudaMallocHost(&data_, grown));
  }
  bytes_ = grown;
  allocations.fetch_add(1, std::memory_order_relaxed);
  return data_;
}

const DeviceLimits& device_limits() {
  static const DeviceLimits limits = [] {
    DeviceLimits found;
    int major = 0, minor = 0;
    TIDEMARK_CUDA_CHECK(
        cudaDeviceGetAttribute(&found.multiprocessors, cudaDevAttrMultiProcessorCount, 0));
    TIDEMARK_CUDA_CHECK(cudaDeviceGetAttribute(&found.shared_bytes_max,
                                               cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
    TIDEMARK_CUDA_CHECK(cudaDeviceGetAttribute(&found.shared_bytes_all,
                                               cudaDevAttrMaxSharedMemoryPerMultiprocessor, 0));
    TIDEMARK_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    TIDEMARK_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
    found.compute_capability = major * 10 + minor;
    return found;
  }();
  return limits;
}

}  // namespace gpu
}  // namespace tidemark
