// Owners of CUDA things: the checking macro, streams, device and pinned buffers that keep their
// memory. Included by *.cu and *_cuda.* only. Each driver owns its own; none is shared by threads.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace tidemark::gpu {

/// Throws DeviceError with place, call, the runtime's words and what to do. Never returns.
[[noreturn]] void fail(cudaError_t error, const char* call, const char* file, int line);

/// Every CUDA call goes through this. An error is sticky on the device, so the run ends with it.
#define TIDEMARK_CUDA_CHECK(call)                                        \
  do {                                                                   \
    const cudaError_t tidemark_error_ = (call);                          \
    if (tidemark_error_ != cudaSuccess)                                  \
      ::tidemark::gpu::fail(tidemark_error_, #call, __FILE__, __LINE__); \
  } while (false)

/// A stream that does not wait for the default stream.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }
  /// Waits for everything queued so far; errors of kernels surface here.
  void wait() const;

 private:
  cudaStream_t stream_ = nullptr;
};

/// Bytes on the device or pinned on the host. Growing drops the contents; shrinking never happens,
/// so that a steady batch allocates nothing.
class Memory {
 public:
  enum class Where : std::uint8_t { device, pinned };
  explicit Memory(Where where) : where_(where) {}
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  /// At least `bytes`; grows by half at least. The caller has waited for the stream that used it.
  void* reserve(std::size_t bytes);
  void* get() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  /// Of the same place.
  void swap(Memory& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

 private:
  void release() noexcept;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Where where_;
};

/// `count` values of a trivially copyable type, aligned as the runtime aligns (256 bytes).
template <class T, Memory::Where where>
class Buffer {
 public:
  Buffer() : memory_(where) {}
  T* reserve(std::size_t count) { return static_cast<T*>(memory_.reserve(count * sizeof(T))); }
  T* get() const { return static_cast<T*>(memory_.get()); }
  void swap(Buffer& other) noexcept { memory_.swap(other.memory_); }

 private:
  Memory memory_;
};
template <class T>
using DeviceBuffer = Buffer<T, Memory::Where::device>;
template <class T>
using PinnedBuffer = Buffer<T, Memory::Where::pinned>;

/// Queue copies of `count` values. The host side must be pinned, or the copy waits.
template <class T>
void copy_in(T* device, const T* host, std::size_t count, const Stream& stream) {
  if (count == 0) return;
  TIDEMARK_CUDA_CHECK(
      cudaMemcpyAsync(device, host, count * sizeof(T), cudaMemcpyHostToDevice, stream.get()));
}
template <class T>
void copy_out(T* host, const T* device, std::size_t count, const Stream& stream) {
  if (count == 0) return;
  TIDEMARK_CUDA_CHECK(
      cudaMemcpyAsync(host, device, count * sizeof(T), cudaMemcpyDeviceToHost, stream.get()));
}

/// Limits of the current device that a launch plan depends on.
struct DeviceLimits {
  int multiprocessors = 0;
  int shared_bytes_max = 0;    // a block, after opting in
  int shared_bytes_all = 0;    // of a multiprocessor
  int compute_capability = 0;  // 90 for sm_90
};
const DeviceLimits& device_limits();

}  // namespace tidemark::gpu
