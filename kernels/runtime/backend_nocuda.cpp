// The CPU flavour's answers to everything CUDA: the build compiles this file where it does not
// compile the *_cuda.cu drivers. resolve_backend refuses first; what is here is the last line.
#include "kernels/base/failure.hpp"
#include "kernels/forest/forest_cuda.hpp"
#include "kernels/runtime/cuda_probe.hpp"
#include "kernels/window/segment_drivers.hpp"
#include "kernels/window/window_cuda.hpp"

namespace tidemark {
namespace {

[[noreturn]] void refuse(const char* what) {
  throw UsageError(std::string("backend: cuda is not in this program, so it has no ") + what +
                   "; build it with `tools/build --cuda`, or use backend cpu");
}

}  // namespace

const CudaProbe& probe_cuda() {
  static const CudaProbe none = [] {
    CudaProbe probe;
    probe.problem = "built without CUDA";
    return probe;
  }();
  return none;
}

std::uint64_t cuda_allocations() {
  return 0;
}

std::unique_ptr<Segmenter> make_segmenter_cuda() {
  refuse("CUDA segmenter");
}

std::unique_ptr<ForestScorer> make_forest_scorer_cuda(const ForestImage&, CudaSpread) {
  refuse("CUDA forest scorer");
}

std::unique_ptr<WindowsCuda> make_windows_cuda(const WindowPlan&, const WindowPlanView&,
                                               std::uint16_t, WindowTuning) {
  refuse("CUDA windows");
}

}  // namespace tidemark
