// What the program knows about CUDA without a CUDA header: whether the drivers are compiled in, and
// what the machine answers. Both flavours define these functions, so nothing else asks the build.
#pragma once

#include <cstdint>
#include <string>

namespace tidemark {

struct CudaProbe {
  bool compiled = false;  // the *_cuda.cu drivers are in this program
  int devices = 0;
  std::string device;   // "NVIDIA H200 (sm_90)"; empty without a device
  std::string problem;  // why there is none, in the runtime's words
};

/// Asks the runtime once and remembers the answer: devices do not appear while a process runs.
const CudaProbe& probe_cuda();

/// Device and pinned allocations made so far by this process. A steady batch leaves it unchanged.
std::uint64_t cuda_allocations();

}  // namespace tidemark
