// Chooses the driver of a segmenter.
#include "kernels/window/segment.hpp"

#include "kernels/window/segment_drivers.hpp"

namespace tidemark {

std::unique_ptr<Segmenter> make_segmenter(Backend backend) {
  return backend == Backend::cuda ? make_segmenter_cuda() : make_segmenter_cpu();
}

}  // namespace tidemark
