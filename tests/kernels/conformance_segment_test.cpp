// One suite for every backend's segmenter: the same groups as a stable sort says, whatever the
// batch looks like. The names of the CUDA instances hold "cuda", which gives them the label gpu.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

#include "kernels/base/failure.hpp"
#include "kernels/runtime/cuda_probe.hpp"
#include "kernels/window/segment.hpp"

namespace tidemark {
namespace {

constexpr std::uint32_t left_out = UINT32_MAX;

/// What segment.hpp says, in the standard library's words.
Segments obvious(const std::vector<std::uint32_t>& slots) {
  Segments out;
  for (std::uint32_t row = 0; row < slots.size(); ++row) {
    if (slots[row] != left_out) out.order.push_back(row);
  }
  std::stable_sort(out.order.begin(), out.order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return slots[a] < slots[b]; });
  for (std::uint32_t i = 0; i < out.order.size(); ++i) {
    if (i == 0 || slots[out.order[i]] != slots[out.order[i - 1]]) out.begins.push_back(i);
  }
  out.begins.push_back(static_cast<std::uint32_t>(out.order.size()));
  return out;
}

class SegmentConformance : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (GetParam() == Backend::cuda && probe_cuda().devices == 0) {
      GTEST_SKIP() << "no CUDA device: " << probe_cuda().problem;
    }
    segmenter_ = make_segmenter(GetParam());
  }

  void expect_obvious(const std::vector<std::uint32_t>& slots, std::uint32_t slot_count) {
    segmenter_->run(slots, slot_count, out_);
    const Segments expected = obvious(slots);
    EXPECT_EQ(out_.order, expected.order);
    EXPECT_EQ(out_.begins, expected.begins);
    EXPECT_EQ(out_.groups(), expected.begins.size() - 1);
  }

  static std::vector<std::uint32_t> random_slots(std::size_t rows, std::uint32_t slot_count,
                                                 int left_out_percent, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::uint32_t> slots(rows);
    for (auto& slot : slots) {
      const bool out = static_cast<int>(random() % 100) < left_out_percent;
      slot = out ? left_out : static_cast<std::uint32_t>(random() % slot_count);
    }
    return slots;
  }

  std::unique_ptr<Segmenter> segmenter_;
  Segments out_;
};

TEST_P(SegmentConformance, SmallBatches) {
  expect_obvious({}, 10);
  expect_obvious({3}, 10);
  expect_obvious({left_out}, 10);
  expect_obvious({5, 2, 5, left_out, 2, 0, 5}, 6);
  expect_obvious({0, 0, 0}, 1);
}

TEST_P(SegmentConformance, AnyNumberOfRows) {
  for (const std::size_t rows : {2, 47, 48, 49, 255, 256, 257, 4096}) {
    SCOPED_TRACE(rows);
    expect_obvious(random_slots(rows, 300, 10, static_cast<unsigned>(rows)), 300);
  }
}

TEST_P(SegmentConformance, AsManyRowsAsABatchHas) {
  expect_obvious(random_slots(30'000, 200'000, 10, 1), 200'000);
  expect_obvious(random_slots(30'000, 40, 10, 2), 1u << 22);
}

TEST_P(SegmentConformance, OneHotMerchantStaysInOrder) {
  std::vector<std::uint32_t> slots(4096, 77);
  expect_obvious(slots, 1'000'000);
  for (std::size_t i = 0; i < slots.size(); i += 17) slots[i] = static_cast<std::uint32_t>(i);
  expect_obvious(slots, 1'000'000);
}

TEST_P(SegmentConformance, AllLeftOut) {
  expect_obvious(std::vector<std::uint32_t>(1000, left_out), 50);
}

TEST_P(SegmentConformance, EverySlotCountUsesItsBits) {
  for (const std::uint32_t slot_count :
       {1u, 2u, 255u, 256u, 2048u, 2049u, 1u << 20, 4'294'967'295u}) {
    SCOPED_TRACE(slot_count);
    auto slots = random_slots(700, slot_count, 5, slot_count);
    slots[13] = slots[600] = slot_count - 1;  // the largest there is
    slots[14] = 0;
    expect_obvious(slots, slot_count);
  }
}

TEST_P(SegmentConformance, SteadyBatchesAllocateNothingOnTheDevice) {
  const auto slots = random_slots(2000, 5000, 3, 1);
  expect_obvious(slots, 5000);
  const std::uint64_t before = cuda_allocations();
  expect_obvious(slots, 5000);
  expect_obvious(random_slots(1999, 5000, 3, 2), 5000);
  EXPECT_EQ(cuda_allocations(), before);
}

std::string name_of_backend(const ::testing::TestParamInfo<Backend>& backend) {
  return std::string(name_of(backend.param));
}

INSTANTIATE_TEST_SUITE_P(Backends, SegmentConformance,
                         ::testing::Values(Backend::cpu, Backend::cuda), name_of_backend);

TEST(Backend, WordsOfTheSetting) {
  EXPECT_EQ(resolve_backend("cpu"), Backend::cpu);
  EXPECT_NO_THROW(resolve_backend("auto"));
  EXPECT_THROW(resolve_backend("gpu"), UsageError);
  EXPECT_THROW(resolve_backend(""), UsageError);
}

TEST(Backend, IsRefusedWithAReasonWhereThereIsNone) {
  if (probe_cuda().devices > 0) {
    EXPECT_EQ(resolve_backend("cuda"), Backend::cuda);
    EXPECT_EQ(resolve_backend("auto"), Backend::cuda);
    return;
  }
  EXPECT_EQ(resolve_backend("auto"), Backend::cpu);
  if (probe_cuda().compiled) {
    // The setting is right, the machine is not: that is a failed run.
    EXPECT_THROW(resolve_backend("cuda"), RunError);
  } else {
    EXPECT_THROW(resolve_backend("cuda"), UsageError);
    EXPECT_THROW(make_segmenter(Backend::cuda), UsageError);
  }
}

}  // namespace
}  // namespace tidemark
