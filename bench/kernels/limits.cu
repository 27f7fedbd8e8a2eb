// What this device can do at best, measured beside the kernels so that a share of a limit compares
// numbers of one machine and one run: bytes copied, and wavefronts of shared memory.
#include <benchmark/benchmark.h>

#include <cstdint>

#include "bench/kernels/device_timer.cuh"
#include "kernels/runtime/cuda_probe.hpp"
#include "kernels/runtime/device_cuda.hpp"

namespace tidemark {
namespace {

constexpr unsigned threads = 256;
constexpr int reads = 4096;  // of a thread

/// Every read of a warp is one wavefront: 32 lanes, 32 banks. Eight chains hide the latency.
__global__ void read_shared(std::uint32_t* out, std::uint32_t step) {
  __shared__ std::uint32_t words[threads * 8];
  for (int i = 0; i < 8; ++i) words[threadIdx.x + i * threads] = threadIdx.x + i * threads;
  __syncthreads();
  std::uint32_t at[8];
  for (int i = 0; i < 8; ++i) at[i] = threadIdx.x + i * threads;
  for (int r = 0; r < reads / 8; ++r) {
    // `step` is 0, which the compiler cannot know.
#pragma unroll
    for (int i = 0; i < 8; ++i) at[i] = words[at[i]] + step;
  }
  std::uint32_t sum = 0;
  for (int i = 0; i < 8; ++i) sum += at[i];
  out[blockIdx.x * threads + threadIdx.x] = sum;
}

void copy_limit(benchmark::State& state) {
  const std::size_t bytes = std::size_t{1} << 30;
  gpu::Stream stream;
  gpu::DeviceBuffer<std::byte> from, to;
  from.reserve(bytes);
  to.reserve(bytes);
  DeviceTimer timer;
  for (auto _ : state) {
    state.SetIterationTime(timer.seconds(stream, [&] {
      TIDEMARK_CUDA_CHECK(
          cudaMemcpyAsync(to.get(), from.get(), bytes, cudaMemcpyDeviceToDevice, stream.get()));
    }));
  }
  state.SetBytesProcessed(state.iterations() * 2 * static_cast<std::int64_t>(bytes));
}
BENCHMARK(copy_limit)->Name("limit/copy")->UseManualTime();

void shared_limit(benchmark::State& state) {
  gpu::Stream stream;
  const unsigned blocks = 8 * static_cast<unsigned>(gpu::device_limits().multiprocessors);
  gpu::DeviceBuffer<std::uint32_t> out;
  out.reserve(std::size_t{blocks} * threads);
  DeviceTimer timer;
  for (auto _ : state) {
    state.SetIterationTime(timer.seconds(
        stream, [&] { read_shared<<<blocks, threads, 0, stream.get()>>>(out.get(), 0); }));
  }
  const auto wavefronts = static_cast<double>(blocks * (threads / 32)) * reads;
  state.counters["wavefronts_per_s"] =
      benchmark::Counter(wavefronts, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(shared_limit)->Name("limit/shared")->UseManualTime();

}  // namespace
}  // namespace tidemark
