// Turns the setting `backend` into a decision, once, at start. The words "cuda" and "auto" are
// known to both flavours, so that a configuration moves between machines and is refused clearly.
#include "kernels/runtime/backend.hpp"

#include <string>

#include "kernels/base/failure.hpp"
#include "kernels/runtime/cuda_probe.hpp"

namespace tidemark {

Backend resolve_backend(std::string_view setting) {
  if (setting == "cpu") return Backend::cpu;
  if (setting == "auto") return probe_cuda().devices > 0 ? Backend::cuda : Backend::cpu;
  if (setting != "cuda") {
    throw UsageError("backend: '" + std::string(setting) + "' is not one of auto, cpu, cuda");
  }
  const CudaProbe& probe = probe_cuda();
  if (!probe.compiled) {
    throw UsageError(
        "backend: cuda is not in this program; build it with `tools/build --cuda`, or use "
        "backend cpu (the results are the same bits)");
  }
  if (probe.devices == 0) {
    throw RunError("backend: no CUDA device answers (" + probe.problem +
                   "); check the driver with nvidia-smi, or use backend cpu");
  }
  return Backend::cuda;
}

std::string_view name_of(Backend backend) {
  return backend == Backend::cuda ? "cuda" : "cpu";
}

}  // namespace tidemark
