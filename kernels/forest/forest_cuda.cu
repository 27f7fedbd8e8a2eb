// The forest on the device: rows become byte codes in tiles, a block walks its tile through every
// tree in order and keeps the sums in registers. What the code format cannot hold goes through the
// general walker. One scorer is used by one thread at a time; a steady batch allocates nothing.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "kernels/forest/forest_body.hpp"
#include "kernels/forest/forest_codes.hpp"
#include "kernels/forest/forest_cuda.hpp"
#include "kernels/runtime/cuda_probe.hpp"
#include "kernels/runtime/device_cuda.hpp"

namespace tidemark {
namespace {

using gpu::DeviceBuffer;
using gpu::PinnedBuffer;

constexpr int rows_per_thread_max = 4;  // one byte each of a 32-bit word of the tile
constexpr int quantise_threads = 128;
constexpr int walker_threads = 128;

struct QuantiseArguments {
  FeatureMatrixView rows;
  ForestImageView image;  // for category sets
  const CodeFeature* features;
  const std::uint32_t* chunk_begin;
  const float* cuts;
  std::uint32_t* codes;  // [tile][feature][thread]; byte r of a word: row r * threads + thread
  std::uint32_t chunks, feature_count, threads;
};

/// A block codes 32 words of every feature: 32 x kRows rows. Columns pass through shared memory,
/// read along rows and used down columns; 33 floats a row keep both free of bank conflicts.
template <int kRows>
__global__ void __launch_bounds__(quantise_threads) quantise(const QuantiseArguments a) {
  __shared__ float values[32 * kRows][code_chunk_columns + 1];
  const std::uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::uint32_t blocks_per_tile = a.threads / 32;
  const std::uint32_t tile = blockIdx.x / blocks_per_tile;
  const std::uint32_t thread = blockIdx.x % blocks_per_tile * 32;
  const std::size_t first_row = static_cast<std::size_t>(tile) * a.threads * kRows + thread;
  for (std::uint32_t chunk = 0; chunk < a.chunks; ++chunk) {
    const std::uint32_t column = chunk * code_chunk_columns + lane;
    for (std::uint32_t i = warp; i < 32 * kRows; i += quantise_threads / 32) {
      const std::size_t row = first_row + static_cast<std::size_t>(i / 32) * a.threads + i % 32;
      const bool inside = row < a.rows.rows && column < a.rows.features;
      values[i][lane] = inside ? a.rows.row(row)[column] : 0.0f;
    }
    __syncthreads();
    for (std::uint32_t f = a.chunk_begin[chunk] + warp; f < a.chunk_begin[chunk + 1];
         f += quantise_threads / 32) {
      const CodeFeature feature = a.features[f];
      std::uint32_t word = 0;
      for (int r = 0; r < kRows; ++r) {
        const float x = values[r * 32 + lane][feature.column - chunk * code_chunk_columns];
        word |= code_of(feature, a.cuts, a.image, x) << (8 * r);
      }
      const std::size_t column_of_words = static_cast<std::size_t>(tile) * a.feature_count + f;
      a.codes[column_of_words * a.threads + thread + lane] = word;
    }
    __syncthreads();
  }
}

struct WalkArguments {
  const std::uint32_t* codes;
  const CodeStage* directory;
  const unsigned char* stages;
  double* out;  // rows x outputs
  std::size_t rows;
  std::uint32_t tile_bytes;
  std::int32_t stage_count, outputs;
};

__device__ void copy_block(unsigned char* to, const void* from, std::uint32_t bytes) {
  for (std::uint32_t i = threadIdx.x; i < bytes / sizeof(uint4); i += blockDim.x) {
    reinterpret_cast<uint4*>(to)[i] = static_cast<const uint4*>(from)[i];
  }
}

/// Walks kRows rows of a thread down one tree; `at` ends at their leaves. Leaves lead to
/// themselves, so all lanes take the same number of steps; a deep tree is left early once no lane
/// moves.
template <int kRows>
__device__ void walk_tree(const unsigned char* memory, std::int32_t depth, std::uint32_t lane,
                          std::uint32_t (&at)[kRows]) {
  while (depth > 0) {
    bool moved = false;
    const std::int32_t steps = depth < 8 ? depth : 8;
    for (std::int32_t step = 1; step < steps; ++step) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) at[r] = code_step(memory, at[r], lane + r);
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const std::uint32_t before = at[r];
      at[r] = code_step(memory, before, lane + r);
      moved |= at[r] != before;
    }
    depth -= steps;
    if (depth > 0 && !__any_sync(0xffffffffu, moved)) return;
  }
}

/// A block per tile. Trees pass through shared memory stage by stage; each thread adds its rows'
/// leaves in tree order, so no sum is shared and none depends on the launch.
template <int kRows, bool kSingle>
__global__ void __launch_bounds__(256) walk_codes(const WalkArguments a) {
  extern __shared__ __align__(16) unsigned char memory[];  // tile, then stage
  const std::size_t first_row =
      static_cast<std::size_t>(blockIdx.x) * blockDim.x * kRows + threadIdx.x;
  const std::uint32_t lane = threadIdx.x * 4;
  copy_block(memory, a.codes + static_cast<std::size_t>(blockIdx.x) * (a.tile_bytes / 4),
             a.tile_bytes);
  double sum[kRows] = {};
  for (std::int32_t s = 0; s < a.stage_count; ++s) {
    const CodeStage stage = a.directory[s];
    __syncthreads();
    copy_block(memory + a.tile_bytes, a.stages + stage.begin, stage.bytes);
    __syncthreads();
    for (std::int32_t t = 0; t < stage.trees; ++t) {
      const CodeTree tree = reinterpret_cast<const CodeTree*>(memory + a.tile_bytes)[t];
      std::uint32_t at[kRows];
      for (int r = 0; r < kRows; ++r) at[r] = a.tile_bytes + tree.root;
      walk_tree<kRows>(memory, tree.depth, lane, at);
      const std::uint32_t bias = static_cast<std::uint32_t>(tree.value_bias) - a.tile_bytes;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const double value = *reinterpret_cast<const double*>(memory + (2 * at[r] + bias));
        if constexpr (kSingle) {
          sum[r] += value;
        } else {
          // A row belongs to one thread, so its outputs can be summed where they will be read.
          const std::size_t row = first_row + static_cast<std::size_t>(r) * blockDim.x;
          if (row < a.rows) a.out[row * a.outputs + tree.output] += value;
        }
      }
    }
  }
  if constexpr (kSingle) {
    for (int r = 0; r < kRows; ++r) {
      const std::size_t row = first_row + static_cast<std::size_t>(r) * blockDim.x;
      if (row < a.rows) a.out[row] = sum[r];
    }
  }
}

/// Every forest there is, a thread per row, straight from the image: the fallback.
__global__ void __launch_bounds__(walker_threads)
    walk_image(FeatureMatrixView rows, ForestImageView image, double* out) {
  const std::size_t row = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row < rows.rows) score_row(image, rows.row(row), out + row * image.outputs);
}

__global__ void __launch_bounds__(walker_threads)
    find_leaves(FeatureMatrixView rows, ForestImageView image, std::int32_t* out) {
  const std::size_t row = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows.rows) return;
  for (std::int32_t t = 0; t < image.tree_count; ++t) {
    out[row * image.tree_count + t] = leaf_of(image, t, rows.row(row));
  }
}

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
  CudaForestScorer(const Forest& forest, std::span<const std::int32_t> columns) {
    if (probe_cuda().devices == 0) {
      throw RunError("backend: no CUDA device answers (" + probe_cuda().problem +
                     "); use backend cpu");
    }
    const gpu::DeviceLimits& limits = gpu::device_limits();
    tuning_ = forest_tuning_of(limits.compute_capability);
    isa_ = "sm_" + std::to_string(limits.compute_capability);
    const ForestImage image = make_forest_image(forest, columns);
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
    for (const auto kernel :
         {walk_codes<1, true>, walk_codes<1, false>, walk_codes<rows_per_thread_max, true>,
          walk_codes<rows_per_thread_max, false>}) {
      TIDEMARK_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                               cudaFuncAttributeMaxDynamicSharedMemorySize,
                                               static_cast<int>(shared_bytes_)));
    }
  }

  /// Few rows are spread one to a thread, so that they reach four times as many multiprocessors.
  void launch_codes(Flight<double>& flight, const FeatureMatrixView& view) {
    const std::size_t wide = static_cast<std::size_t>(threads_) * rows_per_thread_max;
    const bool many =
        view.rows >= wide * static_cast<std::size_t>(gpu::device_limits().multiprocessors);
    if (many) {
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

std::unique_ptr<ForestScorer> make_forest_scorer_cuda(const Forest& forest,
                                                      std::span<const std::int32_t> columns) {
  return std::make_unique<CudaForestScorer>(forest, columns);
}

}  // namespace tidemark
