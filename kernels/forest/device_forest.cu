// A forest in device memory and the launches over it. What the code format cannot hold goes through
// the general walker.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "kernels/forest/device_forest.cuh"
#include "kernels/forest/forest_kernels.cuh"
#include "kernels/runtime/cuda_probe.hpp"

namespace tidemark {
namespace {

using WalkKernel = void (*)(WalkArguments);

unsigned blocks_for(std::size_t rows, std::size_t rows_per_block) {
  return static_cast<unsigned>((rows + rows_per_block - 1) / rows_per_block);
}

template <class Number, int kRows, bool kSingle>
WalkKernel walk_kernel_of(int levels) {
  switch (levels) {
    case 0:
      return walk_codes<Number, kRows, kSingle, 0>;
    case 4:
      return walk_codes<Number, kRows, kSingle, 4>;
    case 6:
      return walk_codes<Number, kRows, kSingle, 6>;
    default:
      return walk_codes<Number, kRows, kSingle, 8>;
  }
}

template <int kRows>
WalkKernel walk_kernel_of(SumKind sum, bool single, int levels) {
  if (sum == SumKind::float64) {
    return single ? walk_kernel_of<double, kRows, true>(levels)
                  : walk_kernel_of<double, kRows, false>(levels);
  }
  return single ? walk_kernel_of<float, kRows, true>(levels)
                : walk_kernel_of<float, kRows, false>(levels);
}

/// The limit belongs to the kernel, not to a forest: the device's own, for every model's need.
template <class Arguments>
void raise_shared_limit(void (*kernel)(Arguments)) {
  const auto* const function = reinterpret_cast<const void*>(kernel);
  cudaFuncAttributes attributes{};
  TIDEMARK_CUDA_CHECK(cudaFuncGetAttributes(&attributes, function));
  TIDEMARK_CUDA_CHECK(cudaFuncSetAttribute(
      function, cudaFuncAttributeMaxDynamicSharedMemorySize,
      gpu::device_limits().shared_bytes_max - static_cast<int>(attributes.sharedSizeBytes)));
}

}  // namespace

template <class T>
void DeviceForest::Constant<T>::set(const std::vector<T>& values) {
  buffer_.reserve(std::max<std::size_t>(values.size(), 1));
  if (values.empty()) return;
  TIDEMARK_CUDA_CHECK(
      cudaMemcpy(buffer_.get(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
}

DeviceForest::DeviceForest(const ForestImage& image, CudaSpread spread) : spread_(spread) {
  if (probe_cuda().devices == 0) {
    throw RunError("backend: no CUDA device answers (" + probe_cuda().problem +
                   "); use backend cpu");
  }
  const gpu::DeviceLimits& limits = gpu::device_limits();
  tuning_ = forest_tuning_of(limits.compute_capability);
  isa_ = "sm_" + std::to_string(limits.compute_capability);
  for (const auto& node : image.nodes) {
    columns_ = std::max<std::size_t>(columns_, (node.column_flags & node_column_mask) + 1);
  }
  set_image(image);
  std::string why;
  const SharedMemory shared{static_cast<std::uint32_t>(limits.shared_bytes_max),
                            static_cast<std::uint32_t>(limits.shared_bytes_all)};
  const auto codes = make_forest_codes(image, tuning_, shared, why);
  if (codes) {
    set_codes(*codes);
    kernel_ = (levels_ > 0 ? "codes, perfect trees of " + std::to_string(levels_) + " levels"
                           : std::string("codes, linked trees")) +
              ", tiles of " + std::to_string(threads_ * rows_per_thread_max) + " rows, " +
              std::to_string(stage_count_) + " stages";
  } else {
    kernel_ = "image walk: " + why;
  }
}

void DeviceForest::set_image(const ForestImage& image) {
  bytes_ += image.bytes();
  nodes_.set(image.nodes);
  trees_.set(image.trees);
  leaf_values_.set(image.leaf_values);
  category_sets_.set(image.category_sets);
  category_words_.set(image.category_words);
  base_.set(image.base);
  image_ = image.view();
  image_.nodes = nodes_.get();
  image_.trees = trees_.get();
  image_.leaf_values = leaf_values_.get();
  image_.category_sets = category_sets_.get();
  image_.category_words = category_words_.get();
  image_.base = base_.get();
}

void DeviceForest::set_codes(const ForestCodes& codes) {
  bytes_ += bytes_of(codes.features, codes.chunks, codes.cuts, codes.directory, codes.stages);
  features_.set(codes.features);
  chunks_.set(codes.chunks);
  cuts_.set(codes.cuts);
  directory_.set(codes.directory);
  stages_.set(codes.stages);
  levels_ = codes.levels;
  feature_count_ = static_cast<std::uint32_t>(codes.features.size());
  chunk_count_ = static_cast<std::uint32_t>(codes.chunks.size() - 1);
  for (std::uint32_t c = 0; c < chunk_count_; ++c) {
    const std::uint32_t cuts = codes.chunks[c + 1].cut_begin - codes.chunks[c].cut_begin;
    chunk_bytes_ = std::max(chunk_bytes_, cuts * static_cast<std::uint32_t>(sizeof(float)));
  }
  threads_ = static_cast<std::uint32_t>(codes.threads);
  stage_count_ = static_cast<std::int32_t>(codes.directory.size());
  stage_bytes_ = codes.stage_bytes_max;
  raise_shared_limit(tidemark::quantise<1>);
  raise_shared_limit(tidemark::quantise<rows_per_thread_max>);
  const bool single = image_.outputs == 1;
  raise_shared_limit(walk_kernel_of<1>(image_.sum, single, levels_));
  raise_shared_limit(walk_kernel_of<rows_per_thread_max>(image_.sum, single, levels_));
}

void DeviceForest::score(FeatureMatrixView rows, Codes& codes, double* out,
                         const gpu::Stream& stream) const {
  if (rows.rows == 0) return;
  if (spread_for(rows.rows) == CudaSpread::thread_per_tree) {
    score_few<<<static_cast<unsigned>(rows.rows), few_threads, 0, stream.get()>>>(rows, image_,
                                                                                  out);
  } else if (coded()) {
    quantise(rows, codes, stream);
    walk(rows, codes, out, stream);
  } else {
    walk_image<<<blocks_for(rows.rows, walker_threads), walker_threads, 0, stream.get()>>>(
        rows, image_, out);
  }
  TIDEMARK_CUDA_CHECK(cudaGetLastError());
}

void DeviceForest::leaves(FeatureMatrixView rows, std::int32_t* out,
                          const gpu::Stream& stream) const {
  find_leaves<<<blocks_for(rows.rows, walker_threads), walker_threads, 0, stream.get()>>>(
      rows, image_, out);
  TIDEMARK_CUDA_CHECK(cudaGetLastError());
}

/// Few rows get a block each. More are spread one to a thread, so that they reach four times as
/// many multiprocessors as four to a thread would.
CudaSpread DeviceForest::spread_for(std::size_t rows) const {
  if (spread_ != CudaSpread::by_batch) return spread_;
  const auto multiprocessors = static_cast<std::size_t>(gpu::device_limits().multiprocessors);
  if (rows <= tuning_.few_rows * multiprocessors) return CudaSpread::thread_per_tree;
  const std::size_t tile = static_cast<std::size_t>(threads_) * rows_per_thread_max;
  return rows < tile * multiprocessors ? CudaSpread::one_row_per_thread
                                       : CudaSpread::four_rows_per_thread;
}

void DeviceForest::quantise(FeatureMatrixView rows, Codes& codes, const gpu::Stream& stream) const {
  if (feature_count_ == 0) return;
  if (spread_for(rows.rows) == CudaSpread::four_rows_per_thread) {
    quantise_as<rows_per_thread_max>(rows, codes, stream);
  } else {
    quantise_as<1>(rows, codes, stream);
  }
}

void DeviceForest::walk(FeatureMatrixView rows, const Codes& codes, double* out,
                        const gpu::Stream& stream) const {
  if (spread_for(rows.rows) == CudaSpread::four_rows_per_thread) {
    walk_as<rows_per_thread_max>(rows, codes, out, stream);
  } else {
    walk_as<1>(rows, codes, out, stream);
  }
}

template <int kRows>
void DeviceForest::quantise_as(FeatureMatrixView rows, Codes& codes,
                               const gpu::Stream& stream) const {
  const unsigned tiles = blocks_for(rows.rows, static_cast<std::size_t>(threads_) * kRows);
  codes.reserve(static_cast<std::size_t>(tiles) * feature_count_ * threads_);
  const std::uint32_t groups = tiles * (threads_ / 32);
  const QuantiseArguments arguments{rows,           image_,      features_.get(),
                                    chunks_.get(),  cuts_.get(), codes.get(),
                                    feature_count_, threads_,    groups};
  // Enough blocks for every multiprocessor, few enough that each uses its cuts for many rows.
  const auto multiprocessors = static_cast<unsigned>(gpu::device_limits().multiprocessors);
  const unsigned across = std::min(groups, 4 * multiprocessors);
  tidemark::quantise<kRows>
      <<<dim3(across, chunk_count_), quantise_threads, chunk_bytes_, stream.get()>>>(arguments);
  TIDEMARK_CUDA_CHECK(cudaGetLastError());
}

template <int kRows>
void DeviceForest::walk_as(FeatureMatrixView rows, const Codes& codes, double* out,
                           const gpu::Stream& stream) const {
  const unsigned tiles = blocks_for(rows.rows, static_cast<std::size_t>(threads_) * kRows);
  const std::uint32_t tile_bytes = feature_count_ * threads_ * 4;
  const WalkArguments arguments{codes.get(),  directory_.get(), stages_.get(), base_.get(),
                                out,          rows.rows,        tile_bytes,    stage_bytes_,
                                stage_count_, image_.outputs};
  const WalkKernel walk_kernel = walk_kernel_of<kRows>(image_.sum, image_.outputs == 1, levels_);
  walk_kernel<<<tiles, threads_, tile_bytes + 2 * stage_bytes_, stream.get()>>>(arguments);
  TIDEMARK_CUDA_CHECK(cudaGetLastError());
}

}  // namespace tidemark
