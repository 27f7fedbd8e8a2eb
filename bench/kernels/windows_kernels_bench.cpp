// The window kernel on the device, timed there: a batch's rows through the records of many
// merchants, update and read-out, without the copies over the bus. Beside rows/s stand the bytes
// that it cannot do without, for comparison with limit/copy: each key's front once in and out, each
// row's columns once out.
#include "bench/kernels/windows_kernels_bench.hpp"

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/kernels/device_timer.cuh"
#include "features/plan.hpp"
#include "kernels/base/civil_time.hpp"
#include "kernels/window/device_windows.cuh"

namespace tidemark {
namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;
constexpr std::size_t batches = 16;  // made before the clock starts, and taken in turn

enum class Load { uniform, hot, one };
constexpr std::pair<Load, const char*> loads[] = {
    {Load::uniform, "uniform"}, {Load::hot, "one-with-90%"}, {Load::one, "one-key"}};

/// Records on the device, and batches of events on them.
class Subject {
 public:
  Subject(std::shared_ptr<const FeaturePlan> plan, std::uint32_t merchants, std::size_t rows,
          Load load)
      : plan_(std::move(plan)),
        windows_(plan_->window_arrays(), plan_->windows(), find_zone("UTC")->id(), {}),
        segmenter_(make_segmenter(Backend::cpu)) {
    windows_.reserve(merchants, stream_);
    matrix_.reserve(rows * plan_->names().size());
    for (std::size_t b = 0; b < batches; ++b) add_batch(merchants, rows, load);
  }

  /// Time goes on with every round over the batches: the rows' times are moved by the host.
  double run(DeviceTimer& timer, std::size_t turn) {
    Batch& batch = *batches_[turn % batches];
    for (WindowRow& row : batch.rows) row.time_ms += batch.runs == 0 ? 0 : span_ms_;
    ++batch.runs;
    TIDEMARK_CUDA_CHECK(cudaMemcpy(batch.rows_device.get(), batch.rows.data(),
                                   batch.rows.size() * sizeof(WindowRow), cudaMemcpyHostToDevice));
    return timer.seconds(stream_, [&] { windows_.apply(batch.task, stream_); });
  }

  std::size_t bytes(std::size_t turn) const {
    const Batch& batch = *batches_[turn % batches];
    return batch.task.groups * std::size_t{2} * plan_->windows().front_bytes +
           batch.rows.size() * (sizeof(WindowRow) + sizeof(float) * plan_->names().size());
  }

 private:
  struct Batch {
    std::vector<WindowRow> rows;
    gpu::DeviceBuffer<WindowRow> rows_device;
    gpu::DeviceBuffer<std::uint32_t> slots, order, begins, longs;
    WindowBatch task;
    std::size_t runs = 0;
  };

  static const std::uint32_t* send(gpu::DeviceBuffer<std::uint32_t>& to,
                                   const std::vector<std::uint32_t>& from) {
    to.reserve(from.size() + 1);
    if (!from.empty()) {
      TIDEMARK_CUDA_CHECK(cudaMemcpy(to.get(), from.data(), from.size() * sizeof(std::uint32_t),
                                     cudaMemcpyHostToDevice));
    }
    return to.get();
  }

  void add_batch(std::uint32_t merchants, std::size_t rows, Load load) {
    batches_.push_back(std::make_unique<Batch>());
    Batch& batch = *batches_.back();
    batch.rows.resize(rows);
    std::vector<std::uint32_t> slots(rows), longs;
    for (std::size_t r = 0; r < rows; ++r) {
      const bool hot = load == Load::one || (load == Load::hot && random_() % 10 != 0);
      slots[r] = hot ? 0 : static_cast<std::uint32_t>(random_() % merchants);
      now_ms_ += static_cast<std::int64_t>(random_() % 1000);
      WindowRow& row = batch.rows[r];
      row.time_ms = now_ms_;
      row.amount_minor = static_cast<std::int64_t>(100 + random_() % 20'000);
      row.payer_hash = random_() % 500'000 * 0x9E3779B97F4A7C15ULL + 1;
      row.currency = pack_currency("EUR");
      row.matrix_row = static_cast<std::uint32_t>(r);
      row.type = random_() % 40 == 0 ? EventType::refund : EventType::payment;
      row.bits = event_bit_certified | event_bit_payer;
      row.role = RowRole::scored;
    }
    span_ms_ = now_ms_ - start_ms;
    Segments segments;
    segmenter_->run(slots, merchants, segments);
    for (std::uint32_t g = 0; g < segments.groups(); ++g) {
      if (segments.begins[g + 1] - segments.begins[g] > windows_.tuning().long_rows) {
        longs.push_back(g);
      }
    }
    batch.rows_device.reserve(rows);
    batch.task = {batch.rows_device.get(),
                  send(batch.slots, slots),
                  send(batch.order, segments.order),
                  send(batch.begins, segments.begins),
                  send(batch.longs, longs),
                  static_cast<std::uint32_t>(segments.groups()),
                  static_cast<std::uint32_t>(longs.size()),
                  matrix_.get(),
                  plan_->names().size()};
  }

  std::shared_ptr<const FeaturePlan> plan_;
  gpu::Stream stream_;
  DeviceWindows windows_;
  std::unique_ptr<Segmenter> segmenter_;
  gpu::DeviceBuffer<float> matrix_;
  std::vector<std::unique_ptr<Batch>> batches_;
  std::mt19937_64 random_{20181001};
  std::int64_t now_ms_ = start_ms, span_ms_ = 0;
};

}  // namespace

void add_window_benchmarks(const std::string& spec, std::size_t rows_max) {
  const auto plan = FeaturePlan::load(spec);
  for (const auto& [load, name] : loads) {
    for (const std::size_t rows : {std::size_t{256}, std::size_t{16'384}, std::size_t{262'144}}) {
      if (rows > rows_max || (load != Load::uniform && rows > 16'384)) continue;
      const auto merchants = static_cast<std::uint32_t>(rows_max < 100'000 ? 500 : 200'000);
      benchmark::RegisterBenchmark(
          ("windows/" + std::string(name) + "/" + std::to_string(rows)).c_str(),
          [plan, rows, merchants, load = load](benchmark::State& state) {
            Subject subject(plan, merchants, rows, load);
            DeviceTimer timer;
            std::size_t turn = 0, bytes = 0;
            for (; turn < 2; ++turn) subject.run(timer, turn);
            for (auto _ : state) {
              bytes += subject.bytes(turn);
              state.SetIterationTime(subject.run(timer, turn++));
            }
            state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows));
            state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
            state.SetLabel(std::to_string(plan->names().size()) + " features, " +
                           std::to_string(plan->windows().front_bytes) + " bytes in front of " +
                           std::to_string(plan->windows().record_bytes));
          })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace tidemark
