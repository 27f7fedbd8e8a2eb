// The two drivers behind make_segmenter; for kernels/ itself and the conformance tests.
#pragma once

#include <memory>

#include "kernels/window/segment.hpp"

namespace tidemark {

std::unique_ptr<Segmenter> make_segmenter_cpu();
/// Throws UsageError where CUDA is not compiled in, RunError where no device answers.
std::unique_ptr<Segmenter> make_segmenter_cuda();

}  // namespace tidemark
