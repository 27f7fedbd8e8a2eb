// The forest kernels on the device, timed there: quantising, walking, both, and the whole scorer
// with its copies over the bus. Scores are checked against the CPU before the clock starts.
//   bench_kernels [made-F1|made-F2|NAME=MODEL]... [GOOGLE BENCHMARK OPTION...]
// Without a model: both made forests. Rows: TIDEMARK_BENCH_ROWS, else 1048576. The windows of the
// spec TIDEMARK_BENCH_SPEC are timed too where it is set.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/kernels/device_timer.cuh"
#include "bench/kernels/made_forest.hpp"
#include "bench/kernels/windows_kernels_bench.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/forest/device_forest.cuh"
#include "kernels/forest/scorer.hpp"
#include "kernels/runtime/cuda_probe.hpp"
#include "models/load_forest.hpp"

namespace tidemark {
namespace {

constexpr std::size_t rows_checked = 4096;

/// A model, its rows on both sides, and room for scores.
class Subject {
 public:
  Subject(std::string name, Forest forest, std::size_t rows)
      : name_(std::move(name)),
        forest_(std::move(forest)),
        columns_(forest_.feature_names.size()),
        matrix_(make_rows(forest_, rows, 11)) {
    std::iota(columns_.begin(), columns_.end(), 0);
    image_ = make_forest_image(forest_, columns_);
    device_ = std::make_unique<DeviceForest>(image_, CudaSpread::by_batch);
    rows_device_.reserve(rows * columns_.size());
    TIDEMARK_CUDA_CHECK(cudaMemcpy(rows_device_.get(), matrix_.view().data,
                                   rows * columns_.size() * sizeof(float), cudaMemcpyHostToDevice));
    out_.reserve(rows * static_cast<std::size_t>(forest_.outputs));
    check(rows);
    check(std::min<std::size_t>(rows, 33));
  }

  const std::string& name() const { return name_; }
  const DeviceForest& device() const { return *device_; }
  const ForestImage& image() const { return image_; }
  FeatureMatrixView host_rows(std::size_t rows) const {
    FeatureMatrixView view = matrix_.view();
    view.rows = rows;
    return view;
  }
  FeatureMatrixView device_rows(std::size_t rows) const {
    return {rows_device_.get(), rows, columns_.size(), columns_.size()};
  }
  std::size_t rows() const { return matrix_.rows(); }
  std::size_t outputs() const { return static_cast<std::size_t>(forest_.outputs); }
  DeviceForest::Codes& codes() { return codes_; }
  double* out() const { return out_.get(); }
  const gpu::Stream& stream() const { return stream_; }

 private:
  void check(std::size_t rows) {
    device_->score(device_rows(rows), codes_, out_.get(), stream_);
    stream_.wait();
    const std::size_t count = std::min(rows, rows_checked);
    std::vector<double> expected(count * outputs()), found(count * outputs());
    TIDEMARK_CUDA_CHECK(cudaMemcpy(found.data(), out_.get(), found.size() * sizeof(double),
                                   cudaMemcpyDeviceToHost));
    ThreadPool pool(1);
    make_forest_scorer(forest_, columns_, Backend::cpu)->score(host_rows(count), expected, pool);
    if (expected != found) throw std::logic_error(name_ + ": a score differs from the CPU's");
  }

  const std::string name_;
  const Forest forest_;
  std::vector<std::int32_t> columns_;
  const FeatureMatrix matrix_;
  ForestImage image_;
  std::unique_ptr<DeviceForest> device_;
  gpu::Stream stream_;
  gpu::DeviceBuffer<float> rows_device_;
  DeviceForest::Codes codes_;
  gpu::DeviceBuffer<double> out_;
};

/// Times `work` on the device; rows per second come out.
template <class Work>
void run(benchmark::State& state, const Subject& subject, std::size_t rows, Work&& work) {
  DeviceTimer timer;
  timer.seconds(subject.stream(), work);
  for (auto _ : state) state.SetIterationTime(timer.seconds(subject.stream(), work));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows));
  state.SetLabel(std::string(subject.device().isa()) + " " +
                 std::string(subject.device().kernel()));
}

void add_benchmarks(Subject& subject, std::size_t rows) {
  const std::string at = "/" + std::to_string(rows);
  const auto add = [&](const std::string& what, auto work) {
    benchmark::RegisterBenchmark(
        (subject.name() + "/" + what + at).c_str(),
        [&subject, rows, work](benchmark::State& state) { run(state, subject, rows, work); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  };
  add("score", [&subject, rows] {
    subject.device().score(subject.device_rows(rows), subject.codes(), subject.out(),
                           subject.stream());
  });
  if (subject.device().coded() && rows == subject.rows()) {
    add("quantise", [&subject, rows] {
      subject.device().quantise(subject.device_rows(rows), subject.codes(), subject.stream());
    });
    add("walk", [&subject, rows] {
      subject.device().walk(subject.device_rows(rows), subject.codes(), subject.out(),
                            subject.stream());
    });
  }
  benchmark::RegisterBenchmark(
      (subject.name() + "/score_from_host" + at).c_str(),
      [&subject, rows](benchmark::State& state) {
        const auto scorer = make_forest_scorer_cuda(subject.image());
        ThreadPool pool(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
        std::vector<double> scores(rows * subject.outputs());
        scorer->score(subject.host_rows(rows), scores, pool);
        for (auto _ : state) scorer->score(subject.host_rows(rows), scores, pool);
        state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows));
      })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

Forest forest_of(const std::string& name, const std::string& file) {
  if (!file.empty()) return load_forest(file);
  for (const MadeShape& shape : {made_f1(), made_f2()}) {
    if (name == shape.name) return make_forest(shape, 5);
  }
  throw UsageError("neither NAME=MODEL nor a made forest: " + name);
}

std::vector<std::unique_ptr<Subject>> make_subjects(std::vector<std::string> wanted,
                                                    std::size_t rows) {
  if (wanted.empty()) wanted = {made_f1().name, made_f2().name};
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const std::string& each : wanted) {
    const std::size_t split = std::min(each.find('='), each.size());
    const std::string name = each.substr(0, split);
    const std::string file = split < each.size() ? each.substr(split + 1) : "";
    subjects.push_back(std::make_unique<Subject>(name, forest_of(name, file), rows));
  }
  return subjects;
}

int run_all(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (probe_cuda().devices == 0) {
    std::fprintf(stderr, "skipped: no CUDA device: %s\n", probe_cuda().problem.c_str());
    return 77;
  }
  const char* const wanted = std::getenv("TIDEMARK_BENCH_ROWS");
  const std::size_t rows = wanted ? std::strtoull(wanted, nullptr, 10) : std::size_t{1} << 20;
  benchmark::AddCustomContext("device", probe_cuda().device);
  const auto subjects = make_subjects({argv + 1, argv + argc}, rows);
  for (const auto& subject : subjects) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{256}, std::size_t{1024},
                                    std::size_t{8192}, std::size_t{65536}, rows}) {
      if (count <= rows) add_benchmarks(*subject, count);
    }
  }
  if (const char* const spec = std::getenv("TIDEMARK_BENCH_SPEC")) {
    add_window_benchmarks(spec, rows);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  try {
    return tidemark::run_all(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_kernels: %s\n", error.what());
    return 1;
  }
}
