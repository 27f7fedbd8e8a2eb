// The scorer of the CUDA backend: rows of the host go to the device in chunks, two under way at a
// time, and their scores come back. One scorer is used by one thread at a time; a steady batch
// allocates nothing.
#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "kernels/base/failure.hpp"
#include "kernels/forest/device_forest.cuh"

namespace tidemark {
namespace {

using gpu::DeviceBuffer;
using gpu::PinnedBuffer;

constexpr std::size_t copy_grain = 4096;  // rows or results that one thread copies at a time

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

class CudaForestScorer final : public ForestScorer {
 public:
  CudaForestScorer(const ForestImage& image, CudaSpread spread) : forest_(image, spread) {}

  void score(FeatureMatrixView rows, std::span<double> out, ThreadPool& pool) override {
    run(rows, static_cast<std::size_t>(forest_.outputs()), out, scores_, pool,
        [this](Flight<double>& flight, FeatureMatrixView view) {
          forest_.score(view, flight.codes, flight.out.get(), flight.stream);
        });
  }

  void leaves(FeatureMatrixView rows, std::span<std::int32_t> out, ThreadPool& pool) override {
    run(rows, static_cast<std::size_t>(forest_.trees()), out, leaves_, pool,
        [this](Flight<std::int32_t>& flight, FeatureMatrixView view) {
          forest_.leaves(view, flight.out.get(), flight.stream);
        });
  }

  std::string_view kernel() const override { return forest_.kernel(); }
  std::string_view isa() const override { return forest_.isa(); }
  std::size_t bytes() const override { return forest_.bytes(); }

 private:
  /// Sends the rows through in chunks, two under way at a time.
  template <class Out, class Launch>
  void run(const FeatureMatrixView& rows, std::size_t width, std::span<Out> out,
           Flight<Out> (&flights)[2], ThreadPool& pool, const Launch& launch) {
    if (rows.features < forest_.columns()) {
      throw RunError("score: the model reads column " + std::to_string(forest_.columns() - 1) +
                     " of a matrix of " + std::to_string(rows.features));
    }
    if (out.size() < rows.rows * width)
      throw RunError("score: the output is shorter than the rows");
    // A run that was cut short by an error must not deliver into memory that is gone.
    for (Flight<Out>& flight : flights) flight.target = nullptr;
    const std::size_t columns = forest_.columns();
    std::size_t turn = 0;
    for (std::size_t begin = 0; begin < rows.rows; begin += forest_.chunk_rows(), ++turn) {
      Flight<Out>& flight = flights[turn % 2];
      land(flight, pool);
      const std::size_t count = std::min<std::size_t>(forest_.chunk_rows(), rows.rows - begin);
      start(flight, rows, begin, count, width, pool);
      flight.target = out.data() + begin * width;
      launch(flight, FeatureMatrixView{flight.rows.get(), count, columns, columns});
      gpu::copy_out(flight.out_host.get(), flight.out.get(), flight.count, flight.stream);
    }
    land(flights[turn % 2], pool);
    land(flights[(turn + 1) % 2], pool);
  }

  /// Only the columns that the model can reach cross the bus.
  template <class Out>
  void start(Flight<Out>& flight, const FeatureMatrixView& rows, std::size_t begin,
             std::size_t count, std::size_t width, ThreadPool& pool) {
    const std::size_t columns = forest_.columns();
    float* const staged = flight.rows_host.reserve(count * columns);
    flight.rows.reserve(count * columns);
    flight.count = count * width;
    flight.out_host.reserve(flight.count);
    flight.out.reserve(flight.count);
    // One core copies slower than the bus takes. The reference is small enough for std::function
    // to hold without allocating.
    const auto stage = [&](std::size_t from, std::size_t to, int) {
      for (std::size_t i = from; i < to; ++i) {
        std::copy_n(rows.row(begin + i), columns, staged + i * columns);
      }
    };
    pool.parallel_for(count, copy_grain, std::cref(stage));
    gpu::copy_in(flight.rows.get(), staged, count * columns, flight.stream);
  }

  template <class Out>
  static void land(Flight<Out>& flight, ThreadPool& pool) {
    if (flight.target == nullptr) return;
    Out* const target = std::exchange(flight.target, nullptr);
    flight.stream.wait();
    const auto fetch = [&](std::size_t from, std::size_t to, int) {
      std::copy(flight.out_host.get() + from, flight.out_host.get() + to, target + from);
    };
    pool.parallel_for(flight.count, copy_grain, std::cref(fetch));
  }

  const DeviceForest forest_;
  Flight<double> scores_[2];
  Flight<std::int32_t> leaves_[2];
};

}  // namespace

std::unique_ptr<ForestScorer> make_forest_scorer_cuda(const ForestImage& image, CudaSpread spread) {
  return std::make_unique<CudaForestScorer>(image, spread);
}

}  // namespace tidemark
