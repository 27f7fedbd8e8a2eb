// The forest on the device: rows become byte codes in tiles, a block walks its tile through every
// tree in order and keeps the sums in registers. What the code format cannot hold goes through the
// general walker. One scorer is used by one thread at a time; a steady batch allocates nothing.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "kernels/forest/forest_codes.hpp"
#include "kernels/forest/forest_cuda.hpp"
#include "kernels/forest/forest_kernels.cuh"
#include "kernels/runtime/cuda_probe.hpp"
#include "kernels/runtime/device_cuda.hpp"

namespace tidemark {
namespace {

using gpu::DeviceBuffer;
using gpu::PinnedBuffer;

/// A constant of the model on the device.
template <class T>
class DeviceConstant {
 public:
  void set(const std::vector<T>& values) {
    buffer_.reserve(std::max<std::size_t>(values.size(), 1));
    if (values.empty()) return;
    TIDEMARK_CUDA_CHECK(cudaMemcpy(buffer_.get(), values.data(), values.size() * sizeof(T),
                                   cudaMemcpyHostToDevice));
  }
  const T* get() const { return buffer_.get(); }

 private:
  DeviceBuffer<T> buffer_;
};

/// Rows on their way through the device; two of them let one copy while the other computes.
template <class Out>
struct Flight {
  gpu::Stream stream;
  PinnedBuffer<float> rows_host;
  DeviceBuffer<float> rows;
  DeviceBuffer<std::uint32_t> codes;
  PinnedBuffer<Out> out_host;
  DeviceBuffer<Out> out;
  Out* target = nullptr;  // where the caller wants what is under way
  std::size_t count = 0;
};

unsigned blocks_for(std::size_t rows, std::size_t rows_per_block) {
  return static_cast<unsigned>((rows + rows_per_block - 1) / rows_per_block);
}

class CudaForestScorer final : public ForestScorer {
 public:
  CudaForestScorer(const ForestImage& image, CudaRowsPerThread rows_per_thread)
      : rows_per_thread_(rows_per_thread) {
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
    const auto codes =
        make_forest_codes(image, tuning_, static_cast<std::uint32_t>(limits.shared_bytes_max), why);
    if (codes) {
      set_codes(*codes);
      kernel_ = "codes, tiles of " + std::to_string(threads_ * rows_per_thread_max) + " rows, " +
                std::to_string(stage_count_) + " stages";
    } else {
      kernel_ = "image walk: " + why;
    }
  }

  void score(FeatureMatrixView rows, std::span<double> out, ThreadPool&) override {
    run(rows, static_cast<std::size_t>(image_.outputs), out, scores_,
        [this](Flight<double>& flight, const FeatureMatrixView& view) {
          if (threads_ > 0) {
            launch_codes(flight, view);
          } else {
            walk_image<<<blocks_for(view.rows, walker_threads), walker_threads, 0,
                         flight.stream.get()>>>(view, image_, flight.out.get());
          }
        });
  }

  void leaves(FeatureMatrixView rows, std::span<std::int32_t> out, ThreadPool&) override {
    run(rows, static_cast<std::size_t>(image_.tree_count), out, leaves_,
        [this](Flight<std::int32_t>& flight, const FeatureMatrixView& view) {
          find_leaves<<<blocks_for(view.rows, walker_threads), walker_threads, 0,
                        flight.stream.get()>>>(view, image_, flight.out.get());
        });
  }

  std::string_view kernel() const override { return kernel_; }
  std::string_view isa() const override { return isa_; }

 private:
  void set_image(const ForestImage& image) {
    nodes_.set(image.nodes);
    trees_.set(image.trees);
    leaf_values_.set(image.leaf_values);
    category_sets_.set(image.category_sets);
    category_words_.set(image.category_words);
    image_ = image.view();
    image_.nodes = nodes_.get();
    image_.trees = trees_.get();
    image_.leaf_values = leaf_values_.get();
    image_.category_sets = category_sets_.get();
    image_.category_words = category_words_.get();
  }

  void set_codes(const ForestCodes& codes) {
    features_.set(codes.features);
    chunk_begin_.set(codes.chunk_begin);
    cuts_.set(codes.cuts);
    directory_.set(codes.directory);
    stages_.set(codes.stages);
    feature_count_ = static_cast<std::uint32_t>(codes.features.size());
    chunks_ = static_cast<std::uint32_t>(codes.chunk_begin.size() - 1);
    threads_ = static_cast<std::uint32_t>(codes.threads);
    stage_count_ = static_cast<std::int32_t>(codes.directory.size());
    shared_bytes_ = feature_count_ * threads_ * 4 + codes.stage_bytes_max;
    // The limit belongs to the kernel, not to this scorer: the device's own, for every model's
    // need.
    for (const auto kernel :
         {walk_codes<1, true>, walk_codes<1, false>, walk_codes<rows_per_thread_max, true>,
          walk_codes<rows_per_thread_max, false>}) {
      TIDEMARK_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                               cudaFuncAttributeMaxDynamicSharedMemorySize,
                                               gpu::device_limits().shared_bytes_max));
    }
  }

  /// Few rows are spread one to a thread, so that they reach four times as many multiprocessors.
  void launch_codes(Flight<double>& flight, const FeatureMatrixView& view) {
    const std::size_t wide = static_cast<std::size_t>(threads_) * rows_per_thread_max;
    const bool fills =
        view.rows >= wide * static_cast<std::size_t>(gpu::device_limits().multiprocessors);
    if (rows_per_thread_ == CudaRowsPerThread::four ||
        (rows_per_thread_ == CudaRowsPerThread::by_batch && fills)) {
      launch_codes_as<rows_per_thread_max>(flight, view);
    } else {
      launch_codes_as<1>(flight, view);
    }
  }

  template <int kRows>
  void launch_codes_as(Flight<double>& flight, const FeatureMatrixView& view) {
    const unsigned tiles = blocks_for(view.rows, static_cast<std::size_t>(threads_) * kRows);
    if (feature_count_ > 0) {
      flight.codes.reserve(static_cast<std::size_t>(tiles) * feature_count_ * threads_);
      const QuantiseArguments quantising{view,
                                         image_,
                                         features_.get(),
                                         chunk_begin_.get(),
                                         cuts_.get(),
                                         flight.codes.get(),
                                         chunks_,
                                         feature_count_,
                                         threads_};
      quantise<kRows>
          <<<tiles*(threads_ / 32), quantise_threads, 0, flight.stream.get()>>>(quantising);
      TIDEMARK_CUDA_CHECK(cudaGetLastError());
    }
    const WalkArguments walking{flight.codes.get(), directory_.get(), stages_.get(),
                                flight.out.get(),   view.rows,        feature_count_ * threads_ * 4,
                                stage_count_,       image_.outputs};
    if (image_.outputs == 1) {
      walk_codes<kRows, true><<<tiles, threads_, shared_bytes_, flight.stream.get()>>>(walking);
    } else {
      TIDEMARK_CUDA_CHECK(
          cudaMemsetAsync(flight.out.get(), 0, flight.count * sizeof(double), flight.stream.get()));
      walk_codes<kRows, false><<<tiles, threads_, shared_bytes_, flight.stream.get()>>>(walking);
    }
  }

  /// Sends the rows through in chunks, two under way at a time.
  template <class Out, class Launch>
  void run(const FeatureMatrixView& rows, std::size_t width, std::span<Out> out,
           Flight<Out> (&flights)[2], const Launch& launch) {
    if (rows.features < columns_) {
      throw RunError("score: the model reads column " + std::to_string(columns_ - 1) +
                     " of a matrix of " + std::to_string(rows.features));
    }
    if (out.size() < rows.rows * width)
      throw RunError("score: the output is shorter than the rows");
    // A run that was cut short by an error must not deliver into memory that is gone.
    for (Flight<Out>& flight : flights) flight.target = nullptr;
    std::size_t turn = 0;
    for (std::size_t begin = 0; begin < rows.rows; begin += tuning_.chunk_rows, ++turn) {
      Flight<Out>& flight = flights[turn % 2];
      land(flight);
      const std::size_t count = std::min<std::size_t>(tuning_.chunk_rows, rows.rows - begin);
      start(flight, rows, begin, count, width);
      flight.target = out.data() + begin * width;
      launch(flight, FeatureMatrixView{flight.rows.get(), count, columns_, columns_});
      TIDEMARK_CUDA_CHECK(cudaGetLastError());
      gpu::copy_out(flight.out_host.get(), flight.out.get(), flight.count, flight.stream);
    }
    land(flights[turn % 2]);
    land(flights[(turn + 1) % 2]);
  }

  /// Only the columns that the model can reach cross the bus.
  template <class Out>
  void start(Flight<Out>& flight, const FeatureMatrixView& rows, std::size_t begin,
             std::size_t count, std::size_t width) {
    float* const staged = flight.rows_host.reserve(count * columns_);
    flight.rows.reserve(count * columns_);
    flight.count = count * width;
    flight.out_host.reserve(flight.count);
    flight.out.reserve(flight.count);
    for (std::size_t i = 0; i < count; ++i) {
      std::copy_n(rows.row(begin + i), columns_, staged + i * columns_);
    }
    gpu::copy_in(flight.rows.get(), staged, count * columns_, flight.stream);
  }

  template <class Out>
  static void land(Flight<Out>& flight) {
    if (flight.target == nullptr) return;
    Out* const target = std::exchange(flight.target, nullptr);
    flight.stream.wait();
    std::copy_n(flight.out_host.get(), flight.count, target);
  }

  const CudaRowsPerThread rows_per_thread_;
  ForestTuning tuning_{};
  std::string kernel_, isa_;
  std::size_t columns_ = 0;  // of the matrix, up to the last one that the model reads
  ForestImageView image_;
  DeviceConstant<ForestImageNode> nodes_;
  DeviceConstant<ForestImageTree> trees_;
  DeviceConstant<double> leaf_values_;
  DeviceConstant<CategorySet> category_sets_;
  DeviceConstant<std::uint32_t> category_words_;
  DeviceConstant<CodeFeature> features_;
  DeviceConstant<std::uint32_t> chunk_begin_;
  DeviceConstant<float> cuts_;
  DeviceConstant<CodeStage> directory_;
  DeviceConstant<unsigned char> stages_;
  std::uint32_t feature_count_ = 0, chunks_ = 0, threads_ = 0, shared_bytes_ = 0;
  std::int32_t stage_count_ = 0;
  Flight<double> scores_[2];
  Flight<std::int32_t> leaves_[2];
};

}  // namespace

std::unique_ptr<ForestScorer> make_forest_scorer_cuda(const ForestImage& image,
                                                      CudaRowsPerThread rows_per_thread) {
  return std::make_unique<CudaForestScorer>(image, rows_per_thread);
}

}  // namespace tidemark
