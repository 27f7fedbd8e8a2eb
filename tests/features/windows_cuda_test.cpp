// The windows of the device against those of the host: records byte by byte, feature rows bit by
// bit, over random streams in any batch split, hot keys and payers among them; and the undo log.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "features/window_rows.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/runtime/cuda_probe.hpp"
#include "kernels/window/window_cuda.hpp"
#include "tests/features/tabled_spec.hpp"

namespace tidemark::test {
namespace {

constexpr const char* zone_name = "Europe/Berlin";

using Bytes = std::vector<unsigned char>;

/// Both backends over the same batches.
class Pair {
 public:
  Pair(std::shared_ptr<const FeaturePlan> plan, WindowTuning tuning)
      : plan_(std::move(plan)), zone_(*find_zone(zone_name)), table_(plan_, options()) {
    merchants_ = make_windows_cuda(plan_->window_arrays(), plan_->windows(), zone_.id(), tuning);
    if (!plan_->has_payers()) return;
    payers_.emplace(plan_, PayerTableOptions{1000, zone_name});
    payers_device_ =
        make_windows_cuda(plan_->payer_arrays(), plan_->payer_windows(), zone_.id(), tuning);
  }

  void run(const EventBatch& stream, std::size_t first, std::size_t count) {
    EventBatch batch;
    batch.append(stream, first, count);
    table_.admit(batch, 0, count);
    std::vector<std::uint32_t> matrix_row(count, UINT32_MAX);
    std::uint32_t scored = 0;
    for (std::size_t row = 0; row < count; ++row) {
      if (batch.outcome[row] == Outcome::scored) matrix_row[row] = scored++;
    }
    std::vector<WindowRow> rows;
    make_window_rows(batch, zone_, plan_->groups(), matrix_row, rows);
    FeatureMatrix cpu, cuda;
    cpu.resize(scored, plan_->names().size());
    cuda.resize(scored, plan_->names().size());
    Segments segments;
    segmenter_->run(batch.slot, table_.size(), segments);
    table_.apply(batch, segments, matrix_row, cpu, pool_);
    merchants_->reserve(table_.size());
    merchants_->apply(rows, batch.slot, segments, cuda);
    if (payers_) {
      payers_->apply(batch, matrix_row, cpu, *segmenter_, pool_);
      payers_device_->reserve(payers_->size());
      payers_device_->apply(rows, payers_->slots(), payers_->segments(), cuda);
    }
    for (std::uint32_t row = 0; row < scored; ++row) {
      const auto a = cpu.row(row), b = cuda.row(row);
      ASSERT_EQ(first_difference(*plan_, {b.begin(), b.end()}, {a.begin(), a.end()}), "")
          << "scored row " << row << " of the batch at " << first;
    }
  }

  void expect_same_records() {
    for (std::uint32_t slot = 0; slot < table_.size(); ++slot) {
      const auto truth = table_.record(slot);
      ASSERT_EQ(merchant(slot), Bytes(truth.begin(), truth.end())) << "merchant " << slot;
    }
    for (std::uint32_t slot = 0; payers_ && slot < payers_->size(); ++slot) {
      const auto truth = payers_->record(slot);
      Bytes found(truth.size());
      payers_device_->record(slot, found);
      ASSERT_EQ(found, Bytes(truth.begin(), truth.end())) << "payer " << slot;
    }
  }

  Bytes merchant(std::uint32_t slot) {
    Bytes found(plan_->windows().record_bytes);
    merchants_->record(slot, found);
    return found;
  }
  std::vector<Bytes> merchants() {
    std::vector<Bytes> all;
    for (std::uint32_t slot = 0; slot < table_.size(); ++slot) all.push_back(merchant(slot));
    return all;
  }
  WindowsCuda& device() { return *merchants_; }

 private:
  static MerchantTableOptions options() {
    MerchantTableOptions options = small_options();
    options.default_zone = zone_name;
    return options;
  }

  std::shared_ptr<const FeaturePlan> plan_;
  const Zone& zone_;
  MerchantTable table_;
  std::optional<PayerTable> payers_;
  std::unique_ptr<WindowsCuda> merchants_, payers_device_;
  std::unique_ptr<Segmenter> segmenter_ = make_segmenter(Backend::cpu);
  ThreadPool pool_{1};
};

class WindowsCudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (probe_cuda().devices == 0) GTEST_SKIP() << "no CUDA device: " << probe_cuda().problem;
  }

  static std::shared_ptr<const FeaturePlan> wild() {
    static const auto plan = FeaturePlan::parse(wild_spec, "wild");
    return plan;
  }

  static void expect_same(const std::shared_ptr<const FeaturePlan>& plan, const StreamShape& shape,
                          std::size_t batch, WindowTuning tuning = {}) {
    SCOPED_TRACE("seed " + std::to_string(shape.seed) + ", batches of " + std::to_string(batch));
    const Stream stream = random_stream(shape);
    Pair pair(plan, tuning);
    for (std::size_t at = 0; at < stream.batch.rows(); at += batch) {
      pair.run(stream.batch, at, std::min(batch, stream.batch.rows() - at));
      if (HasFatalFailure()) return;
    }
    pair.expect_same_records();
  }
};

TEST_F(WindowsCudaTest, EveryAggregateOverRandomStreams) {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    for (const std::size_t batch : {1U, 7U, 64U, 400U}) {
      expect_same(wild(), {seed, batch == 1 ? 60 : 400, 3}, batch);
    }
  }
}

TEST_F(WindowsCudaTest, TablesOfPeersAndSeasons) {
  std::mt19937 random(7);
  const TabledSpec tabled(random);
  expect_same(tabled.plan(), {31, 60, 3}, 1);
  expect_same(tabled.plan(), {32, 400, 3}, 64);
}

TEST_F(WindowsCudaTest, QuickstartOverManyMerchants) {
  const auto plan = FeaturePlan::load(quickstart_spec());
  for (const std::size_t batch : {50U, 700U}) expect_same(plan, {9, 700, 90}, batch);
}

TEST_F(WindowsCudaTest, HotKeyHasABlockToItself) {
  expect_same(wild(), {21, 400, 1}, 400);
  expect_same(FeaturePlan::load(quickstart_spec()), {22, 900, 1}, 300);
  expect_same(wild(), {23, 300, 2}, 300, {.threads = 64, .long_rows = 3});
}

TEST_F(WindowsCudaTest, RollsBackToTheBytesBefore) {
  const Stream stream = random_stream({31, 300, 12});
  Pair pair(wild(), {});
  pair.run(stream.batch, 0, 100);
  const std::vector<Bytes> before = pair.merchants();
  pair.device().begin_undo();
  pair.run(stream.batch, 100, 60);
  pair.run(stream.batch, 160, 140);  // the same keys again: the first image counts
  ASSERT_NE(pair.merchants(), before);
  pair.device().roll_back();
  std::vector<Bytes> after = pair.merchants();
  after.resize(before.size());
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace tidemark::test
