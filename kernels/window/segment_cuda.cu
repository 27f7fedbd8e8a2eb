// Segmentation on the device: CUB's stable radix sort over the bits that the slots need, then one
// selection of the positions where a group begins. Integer keys only, so every run gives the same
// result. One stream per segmenter; buffers are kept, a steady batch allocates nothing.
#include <thrust/iterator/counting_iterator.h>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_select.cuh>

#include <cstring>

#include "kernels/runtime/device_cuda.hpp"
#include "kernels/window/segment_body.hpp"
#include "kernels/window/segment_drivers.hpp"

namespace tidemark {
namespace {

using gpu::DeviceBuffer;
using gpu::PinnedBuffer;

constexpr int threads_per_block = 256;

__global__ void make_keys(const std::uint32_t* slots, std::uint32_t rows, std::uint32_t slot_count,
                          std::uint32_t* keys, std::uint32_t* order) {
  const std::uint32_t row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  keys[row] = segment_key(slots[row], slot_count);
  order[row] = row;
}

/// Tells CUB's selection which positions begin a group.
struct BeginsSegment {
  const std::uint32_t* keys;
  __device__ bool operator()(std::uint32_t position) const {
    return begins_segment(keys, position);
  }
};

class CudaSegmenter final : public Segmenter {
 public:
  void run(std::span<const std::uint32_t> slots, std::uint32_t slot_count, Segments& out) override {
    const auto rows = static_cast<std::uint32_t>(slots.size());
    out.order.clear();
    out.begins.assign(1, 0);
    if (rows == 0) return;
    reserve(rows);
    std::memcpy(host_.get(), slots.data(), rows * sizeof(std::uint32_t));
    gpu::copy_in(slots_.get(), host_.get(), rows, stream_);
    make_keys<<<(rows + threads_per_block - 1) / threads_per_block, threads_per_block, 0,
                stream_.get()>>>(slots_.get(), rows, slot_count, keys_.get(), order_.get());
    TIDEMARK_CUDA_CHECK(cudaGetLastError());
    TIDEMARK_CUDA_CHECK(sort(scratch_.get(), scratch_bytes_, rows, segment_key_bits(slot_count)));
    TIDEMARK_CUDA_CHECK(select(scratch_.get(), scratch_bytes_, rows));
    fetch(rows, slot_count, out);
  }

 private:
  void reserve(std::uint32_t rows) {
    // What comes back: order, begins, their number, the last key.
    host_.reserve(2 * static_cast<std::size_t>(rows) + 2);
    for (auto* column : {&slots_, &keys_, &order_, &keys_sorted_, &order_sorted_}) {
      column->reserve(rows);
    }
    begins_.reserve(static_cast<std::size_t>(rows) + 1);
    if (rows <= scratch_rows_) return;
    // CUB's need grows with the rows; asked for the most bits, it holds for any slot count.
    std::size_t sort_bytes = 0, select_bytes = 0;
    TIDEMARK_CUDA_CHECK(sort(nullptr, sort_bytes, rows, 32));
    TIDEMARK_CUDA_CHECK(select(nullptr, select_bytes, rows));
    scratch_bytes_ = std::max(sort_bytes, select_bytes);
    scratch_.reserve(scratch_bytes_);
    scratch_rows_ = rows;
  }

  cudaError_t sort(void* scratch, std::size_t& bytes, std::uint32_t rows, int bits) {
    return cub::DeviceRadixSort::SortPairs(scratch, bytes, keys_.get(), keys_sorted_.get(),
                                           order_.get(), order_sorted_.get(), rows, 0, bits,
                                           stream_.get());
  }

  /// Group starts go to begins_[1...], their number to begins_[0]: one copy brings both back.
  cudaError_t select(void* scratch, std::size_t& bytes, std::uint32_t rows) {
    return cub::DeviceSelect::If(scratch, bytes, thrust::counting_iterator<std::uint32_t>(0),
                                 begins_.get() + 1, begins_.get(), rows,
                                 BeginsSegment{keys_sorted_.get()}, stream_.get());
  }

  void fetch(std::uint32_t rows, std::uint32_t slot_count, Segments& out) {
    std::uint32_t* const order = host_.get();
    std::uint32_t* const begins = order + rows;
    std::uint32_t* const last_key = begins + rows + 1;
    gpu::copy_out(order, order_sorted_.get(), rows, stream_);
    gpu::copy_out(begins, begins_.get(), static_cast<std::size_t>(rows) + 1, stream_);
    gpu::copy_out(last_key, keys_sorted_.get() + rows - 1, 1, stream_);
    stream_.wait();
    const std::uint32_t groups = begins[0];
    // The rows to leave out sorted behind all others: their group is the last, and is cut off.
    const bool tail = *last_key == slot_count;
    const std::uint32_t kept = tail ? begins[groups] : rows;
    out.order.assign(order, order + kept);
    out.begins.assign(begins + 1, begins + 1 + groups);
    if (!tail) out.begins.push_back(kept);
  }

  gpu::Stream stream_;
  PinnedBuffer<std::uint32_t> host_;
  DeviceBuffer<std::uint32_t> slots_, keys_, order_, keys_sorted_, order_sorted_, begins_;
  DeviceBuffer<std::byte> scratch_;
  std::size_t scratch_bytes_ = 0;
  std::uint32_t scratch_rows_ = 0;
};

}  // namespace

std::unique_ptr<Segmenter> make_segmenter_cuda() {
  return std::make_unique<CudaSegmenter>();
}

}  // namespace tidemark
