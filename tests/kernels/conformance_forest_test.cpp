// One suite for every way of scoring: the raw scores and leaves of the obvious walker, to the bit,
// on forests of every shape and rows on and beside every cut. The names of the CUDA instances hold
// "cuda", which gives them the label gpu.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "kernels/forest/bit_kernel.hpp"
#include "kernels/forest/forest_codes.hpp"
#include "kernels/forest/forest_cuda.hpp"
#include "kernels/forest/scorer.hpp"
#include "kernels/runtime/cuda_probe.hpp"
#include "tests/kernels/forest_cases.hpp"

namespace tidemark {
namespace {

using namespace forest_cases;

/// A way of scoring by its name: cpu_ and an instruction set, or one of the device's.
class ForestConformance : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam().starts_with("cpu_")) {
      limit_bit_kernel(GetParam().substr(4));
    } else if (probe_cuda().devices == 0) {
      GTEST_SKIP() << "no CUDA device: " << probe_cuda().problem;
    }
  }
  void TearDown() override { limit_bit_kernel(""); }

  std::unique_ptr<ForestScorer> scorer_of(const Case& test) const {
    if (GetParam().starts_with("cpu_")) {
      auto scorer = make_forest_scorer(test.forest, test.columns, Backend::cpu);
      EXPECT_EQ("cpu_" + std::string(scorer->isa()), GetParam());
      return scorer;
    }
    const CudaSpread spread = GetParam() == "cuda_few"    ? CudaSpread::thread_per_tree
                              : GetParam() == "cuda_wide" ? CudaSpread::four_rows_per_thread
                                                          : CudaSpread::one_row_per_thread;
    return make_forest_scorer_cuda(make_forest_image(test.forest, test.columns), spread);
  }

  void expect_same_bits(ForestScorer& scorer, const Case& test, std::size_t first,
                        std::size_t count) {
    const auto outputs = static_cast<std::size_t>(test.forest.outputs);
    std::vector<double> scores(count * outputs, -1);
    scorer.score(test.view(first, count), scores, pool_);
    int wrong = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const double expected = test.scores[first * outputs + i];
      wrong += std::bit_cast<std::uint64_t>(scores[i]) != std::bit_cast<std::uint64_t>(expected);
    }
    EXPECT_EQ(wrong, 0) << "of " << scores.size() << " scores by " << scorer.kernel();
  }

  void expect_same_leaves(ForestScorer& scorer, const Case& test, std::size_t count) {
    const std::size_t trees = test.forest.trees.size();
    std::vector<std::int32_t> leaves(count * trees, -1);
    scorer.leaves(test.view(0, count), leaves, pool_);
    const std::vector<std::int32_t> expected(
        test.leaves.begin(), test.leaves.begin() + static_cast<std::ptrdiff_t>(count * trees));
    EXPECT_EQ(leaves, expected);
  }

  void check(const Shape& shape) {
    const Case test(shape, 5);
    const auto scorer = scorer_of(test);
    expect_same_bits(*scorer, test, 0, test.count);
    expect_same_leaves(*scorer, test, std::min<std::size_t>(test.count, 60));
    kernel_ = scorer->kernel();
  }

  ThreadPool pool_{1};
  std::string kernel_;
};

TEST_P(ForestConformance, FullTreesOfDepthEight) {
  Shape shape = shape_of("full");
  shape.leaves = 256;
  check(shape);
}

TEST_P(ForestConformance, LeafWiseTreesDeeperThanTheirSteps) {
  Shape shape = shape_of("chain");
  shape.chain = true;
  shape.depth = 40;
  shape.leaves = 41;
  check(shape);
}

TEST_P(ForestConformance, EachMissingKindAlone) {
  for (const MissingKind kind : {MissingKind::none, MissingKind::zero, MissingKind::nan}) {
    Shape shape = shape_of("missing");
    shape.missing = {kind};
    shape.rows = 300;
    check(shape);
  }
}

TEST_P(ForestConformance, LessThanAndSumsInFloat) {
  for (const int outputs : {1, 3}) {
    for (const int leaves : {40, 300}) {  // of a tree; more than 256 are walked one by one
      for (const int depth : {8, 30}) {
        Shape shape = shape_of("strict");
        shape.strict = true;
        shape.outputs = outputs;
        shape.leaves = leaves;
        shape.depth = depth;
        shape.trees = 12;
        check(shape);
      }
    }
  }
}

TEST_P(ForestConformance, StrictCategories) {
  Shape shape = shape_of("strict categories");
  shape.strict = true;
  shape.categorical_percent = 50;
  shape.leaves = 20;
  check(shape);
}

TEST_P(ForestConformance, Categories) {
  Shape shape = shape_of("categories");
  shape.categorical_percent = 40;
  shape.leaves = 12;
  check(shape);
}

TEST_P(ForestConformance, SeveralOutputs) {
  Shape shape = shape_of("outputs");
  shape.outputs = 3;
  check(shape);
}

TEST_P(ForestConformance, MoreCutsThanACodeHolds) {
  Shape shape = shape_of("cuts");
  shape.features = 2;
  shape.distinct_cuts = 1200;
  shape.leaves = 200;
  shape.missing = {MissingKind::nan};
  check(shape);
}

TEST_P(ForestConformance, MoreColumnsThanATileHolds) {
  for (const int features : {150, 900, 2500}) {
    Shape shape = shape_of("columns");
    shape.features = features;
    shape.leaves = 255;
    shape.trees = 30;
    shape.distinct_cuts = 3;
    shape.rows = 70;
    check(shape);
  }
}

TEST_P(ForestConformance, ATreeLargerThanAStage) {
  for (const int leaves : {4000, 30000}) {
    Shape shape = shape_of("large");
    shape.trees = 2;
    shape.leaves = leaves;
    shape.depth = 40;
    shape.rows = 70;
    check(shape);
  }
}

TEST_P(ForestConformance, NoTreesAndLonelyLeaves) {
  Shape shape = shape_of("none");
  shape.trees = 0;
  shape.rows = 5;
  check(shape);
  shape.trees = 3;
  shape.leaves = 1;
  check(shape);
}

TEST_P(ForestConformance, EverySplitIntoBatches) {
  Shape shape = shape_of("batches");
  shape.trees = 5;
  shape.rows = 4096;
  const Case test(shape, 9);
  const auto scorer = scorer_of(test);
  expect_same_bits(*scorer, test, 0, 0);
  expect_same_bits(*scorer, test, 0, 4096);
  for (const std::size_t size : {1, 7, 33, 1025}) {
    SCOPED_TRACE(size);
    for (std::size_t first = 0; first < 40 * size && first + size <= 4096; first += 13 * size) {
      expect_same_bits(*scorer, test, first, size);
    }
  }
}

TEST_P(ForestConformance, TwoModelsSideBySide) {
  Shape large = shape_of("large");
  large.leaves = 256;
  large.features = 60;
  const Case first(large, 1), second(shape_of("small"), 2);
  const auto scorer_of_first = scorer_of(first);
  const auto scorer_of_second = scorer_of(second);
  expect_same_bits(*scorer_of_first, first, 0, 100);
  expect_same_bits(*scorer_of_second, second, 0, 100);
  expect_same_bits(*scorer_of_first, first, 100, 100);
}

TEST_P(ForestConformance, RowsFartherApartThanTheyAreLong) {
  const Case test(shape_of("stride"), 4);
  const std::size_t stride = test.stride + 5;
  std::vector<float> rows(stride * 50, nan_value);
  for (std::size_t r = 0; r < 50; ++r) {
    std::copy_n(&test.rows[r * test.stride], test.stride, &rows[r * stride]);
  }
  std::vector<double> scores(50);
  scorer_of(test)->score({rows.data(), 50, test.stride, stride}, scores, pool_);
  EXPECT_EQ(scores, std::vector<double>(test.scores.begin(), test.scores.begin() + 50));
}

TEST_P(ForestConformance, SteadyBatchesAllocateNothingOnTheDevice) {
  const Case test(shape_of("steady"), 3);
  const auto scorer = scorer_of(test);
  expect_same_bits(*scorer, test, 0, 700);
  const std::uint64_t before = cuda_allocations();
  expect_same_bits(*scorer, test, 0, 700);
  expect_same_bits(*scorer, test, 5, 600);
  EXPECT_EQ(cuda_allocations(), before);
}

std::vector<std::string> ways() {
  std::vector<std::string> names{"cuda", "cuda_few", "cuda_wide"};
  for (const std::string& isa : bit_kernel_isas()) names.push_back("cpu_" + isa);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Ways, ForestConformance, ::testing::ValuesIn(ways()),
                         [](const auto& way) { return way.param; });

TEST(CudaForest, RefusesAMatrixTooNarrowForTheModel) {
  if (probe_cuda().devices == 0) GTEST_SKIP() << "no CUDA device: " << probe_cuda().problem;
  const Case test(shape_of("narrow"), 4);
  const auto scorer = make_forest_scorer_cuda(make_forest_image(test.forest, test.columns));
  ThreadPool pool(1);
  std::vector<double> scores(10);
  EXPECT_THROW(scorer->score({test.rows.data(), 10, 3, test.stride}, scores, pool), RunError);
  EXPECT_THROW(scorer->score(test.view(0, 11), scores, pool), RunError);
}

/// The code format itself, walked on the host: what the kernels do, in four lines.
double score_by_codes(const ForestCodes& codes, const ForestImage& image, const float* row) {
  std::vector<unsigned char> memory(codes.features.size() *
                                    static_cast<std::size_t>(codes.threads) * 4);
  const std::size_t tile = memory.size();
  for (std::size_t f = 0; f < codes.features.size(); ++f) {
    const CodeFeature& feature = codes.features[f];
    const float value[1] = {row[feature.column]};
    std::uint32_t code[1];
    const float* const cuts = feature.categorical ? nullptr : &codes.cuts[feature.begin];
    find_codes<1>(feature, cuts, image.view(), value, code);
    memory[f * static_cast<std::size_t>(codes.threads) * 4] = static_cast<unsigned char>(code[0]);
  }
  const std::uint32_t bytes = codes.value_bytes();
  double sum = image.base[0];
  for (const CodeStage& stage : codes.directory) {
    memory.resize(tile);
    memory.insert(memory.end(), codes.stages.begin() + stage.begin,
                  codes.stages.begin() + stage.begin + stage.bytes);
    auto at_tree = static_cast<std::uint32_t>(tile);
    for (std::int32_t t = 0; t < stage.trees; ++t) {
      std::uint32_t value = 0;
      if (codes.levels > 0) {
        std::uint32_t at = 1;
        for (int l = 0; l < codes.levels; ++l) at = perfect_step(memory.data(), at_tree, at, 0);
        value = perfect_value(codes.levels, bytes, at_tree, at);
        at_tree += perfect_bytes(codes.levels, bytes);
      } else {
        const auto tree = reinterpret_cast<const CodeTree*>(memory.data() + tile)[t];
        const auto row_bytes = static_cast<std::uint32_t>(codes.threads) * 4;
        std::uint32_t at = 1;
        for (std::int32_t d = 0; d < tree.depth + 2; ++d) {  // a leaf leads to itself
          at = code_step(memory.data(), at_tree + tree.root, at, row_bytes, 0);
        }
        value = at_tree + bytes * at + static_cast<std::uint32_t>(tree.value_bias);
      }
      const unsigned char* const leaf = memory.data() + value;
      sum = add_leaf(codes.sum, sum,
                     bytes == 8 ? *reinterpret_cast<const double*>(leaf)
                                : static_cast<double>(*reinterpret_cast<const float*>(leaf)));
    }
  }
  return sum;
}

constexpr SharedMemory shared_of_sm90{227 * 1024, 228 * 1024};

/// `levels` is what the format should be.
void expect_same_sums_by_codes(const Shape& shape, int levels) {
  const Case test(shape, 21);
  const ForestImage image = make_forest_image(test.forest, test.columns);
  std::string why;
  const auto codes = make_forest_codes(image, forest_tuning_of(90), shared_of_sm90, why);
  ASSERT_TRUE(codes) << why;
  EXPECT_EQ(codes->levels, levels);
  for (std::size_t r = 0; r < test.count; ++r) {
    EXPECT_EQ(score_by_codes(*codes, image, &test.rows[r * test.stride]), test.scores[r]) << r;
  }
}

TEST(ForestCodes, WalkToTheSameSums) {
  Shape shape = shape_of("codes");
  shape.categorical_percent = 15;
  shape.distinct_cuts = 400;
  shape.leaves = 200;
  shape.features = 4;
  for (const auto& [depth, levels] : {std::pair{3, 4}, {6, 6}, {8, 8}, {12, 0}}) {
    SCOPED_TRACE(depth);
    shape.depth = depth;
    for (const bool strict : {false, true}) {
      shape.strict = strict;
      expect_same_sums_by_codes(shape, levels);
    }
  }
}

TEST(ForestCodes, SayWhyTheyDoNotFit) {
  Shape shape = shape_of("large");
  shape.trees = 1;
  shape.leaves = 30000;
  shape.depth = 40;
  shape.rows = 1;
  const Case test(shape, 2);
  std::string why;
  EXPECT_FALSE(make_forest_codes(make_forest_image(test.forest, test.columns), forest_tuning_of(90),
                                 shared_of_sm90, why));
  EXPECT_NE(why.find("stage"), std::string::npos) << why;
}

}  // namespace
}  // namespace tidemark
