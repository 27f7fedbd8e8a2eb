// One suite for every way of scoring: the raw scores and leaves of the obvious walker, to the bit,
// on forests of every shape and rows on and beside every cut. The names of the CUDA instances hold
// "cuda", which gives them the label gpu.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/failure.hpp"
#include "kernels/forest/forest_codes.hpp"
#include "kernels/forest/forest_cuda.hpp"
#include "kernels/forest/scorer.hpp"
#include "kernels/runtime/cuda_probe.hpp"

namespace tidemark {
namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

bool obvious_left(const Forest& forest, const ForestNode& node, float value) {
  if (node.categorical) {
    if (std::isnan(value) || value >= 2147483648.0f || value <= -2147483648.0f) return false;
    const auto category = static_cast<std::int64_t>(value);
    if (category < 0 || category / 32 >= node.category_end - node.category_begin) return false;
    const auto word = static_cast<std::size_t>(node.category_begin + category / 32);
    return (forest.category_words[word] >> (category % 32)) & 1;
  }
  if (node.left_if_less) {
    return std::isnan(value) ? node.default_left : value < static_cast<float>(node.threshold);
  }
  double x = value;
  if (std::fabs(x) <= 1e-35f) x = 0;
  if (std::isnan(x) && node.missing != MissingKind::nan) x = 0;
  if (node.missing == MissingKind::zero && std::fabs(x) <= 1e-35f) return node.default_left;
  if (std::isnan(x)) return node.default_left;
  return x <= node.threshold;
}

std::int32_t obvious_leaf(const Forest& forest, const ForestTree& tree, const float* row,
                          const std::vector<std::int32_t>& columns) {
  std::int32_t at = tree.node_begin == tree.node_end ? ~0 : 0;
  while (at >= 0) {
    const ForestNode& node = forest.nodes[static_cast<std::size_t>(tree.node_begin + at)];
    const float value = row[columns[static_cast<std::size_t>(node.feature)]];
    at = obvious_left(forest, node, value) ? node.left : node.right;
  }
  return ~at;
}

/// What a random forest looks like.
struct Shape {
  std::string name;
  int trees = 10, leaves = 32, depth = 8, features = 12, outputs = 1;
  int distinct_cuts = 60;  // of a feature
  bool chain = false;      // leaf-wise growth at its worst: one path
  int categorical_percent = 0;
  bool less = false;  // XGBoost's test
  std::vector<MissingKind> missing{MissingKind::none, MissingKind::zero, MissingKind::nan};
  std::size_t rows = 700;
};

class ForestMaker {
 public:
  ForestMaker(const Shape& shape, unsigned seed) : shape_(shape), random_(seed) {}

  Forest make() {
    forest_.outputs = shape_.outputs;
    for (int f = 0; f < shape_.features; ++f) {
      forest_.feature_names.push_back("f" + std::to_string(f));
      cuts_.emplace_back();
      for (int c = 0; c < shape_.distinct_cuts; ++c) cuts_.back().push_back(make_cut());
    }
    for (int t = 0; t < shape_.trees; ++t) add_tree(t);
    return forest_;
  }

  /// Values where mistakes show: on every cut, one float beside it, and the odd ones.
  float value_for(std::size_t feature) {
    static constexpr float odd[] = {nan_value, infinity, -infinity, 0.0f,    -0.0f, 1e-35f,
                                    -1e-35f,   1e-36f,   1e-40f,    3.4e38f, -1.5f, 300.0f};
    if (random_() % 8 == 0) return odd[random_() % std::size(odd)];
    const auto& cuts = cuts_[feature];
    const auto near = static_cast<float>(cuts[random_() % cuts.size()]);
    switch (random_() % 4) {
      case 0:
        return std::nextafter(near, infinity);
      case 1:
        return std::nextafter(near, -infinity);
      case 2:
        return static_cast<float>(random_() % 70) - 1.0f;  // categories
      default:
        return near;
    }
  }

  std::mt19937& random() { return random_; }

 private:
  double make_cut() {
    switch (random_() % 12) {
      case 0:
        return 0.0;
      case 1:
        return 1e-35;
      case 2:
        return -5e-36;
      case 3:
        return 1e-300;
      case 4:
        return 0.1;  // between two floats
      default:
        return (static_cast<double>(random_() % 200000) - 100000) / 777.0;
    }
  }

  ForestNode make_node() {
    ForestNode node;
    node.feature = static_cast<std::int32_t>(random_() % static_cast<unsigned>(shape_.features));
    if (static_cast<int>(random_() % 100) < shape_.categorical_percent) {
      node.categorical = true;
      node.category_begin = static_cast<std::int32_t>(forest_.category_words.size());
      for (unsigned w = 0; w <= random_() % 2; ++w) forest_.category_words.push_back(random_());
      node.category_end = static_cast<std::int32_t>(forest_.category_words.size());
      return node;
    }
    const auto& cuts = cuts_[static_cast<std::size_t>(node.feature)];
    node.threshold = cuts[random_() % cuts.size()];
    node.missing = shape_.missing[random_() % shape_.missing.size()];
    node.default_left = random_() % 2 == 0;
    if (shape_.less) {
      node.left_if_less = true;
      node.missing = MissingKind::nan;
      node.threshold = static_cast<float>(node.threshold);
    }
    return node;
  }

  void add_tree(int t) {
    ForestTree tree;
    tree.node_begin = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_begin = static_cast<std::int32_t>(forest_.leaf_values.size());
    tree.output = t % shape_.outputs;
    struct Open {
      std::int32_t node;  // of the tree, -1 = the root itself
      bool left;
      int depth;
    };
    std::vector<Open> open{{-1, true, 0}};
    int leaves = 1;
    // A tree now and then is a single leaf, as trainers write when no split helps.
    while (leaves < shape_.leaves && !open.empty() && t % 7 != 6) {
      const std::size_t pick = shape_.chain ? open.size() - 1 : random_() % open.size();
      if (open[pick].depth >= shape_.depth) {
        // Full depth: this place stays a leaf; another one is split.
        closed_.push_back({open[pick].node, open[pick].left});
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
        continue;
      }
      const Open at = open[pick];
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
      const auto number = static_cast<std::int32_t>(forest_.nodes.size()) - tree.node_begin;
      forest_.nodes.push_back(make_node());
      link(tree, at.node, at.left, number);
      open.push_back({number, true, at.depth + 1});
      open.push_back({number, false, at.depth + 1});
      ++leaves;
    }
    for (const Open& at : open) closed_.push_back({at.node, at.left});
    for (const auto& [node, left] : closed_) {
      const auto leaf = static_cast<std::int32_t>(forest_.leaf_values.size()) - tree.leaf_begin;
      forest_.leaf_values.push_back((static_cast<double>(random_()) - 2e9) * 1e-10 / 3.0);
      link(tree, node, left, ~leaf);
    }
    closed_.clear();
    tree.node_end = static_cast<std::int32_t>(forest_.nodes.size());
    tree.leaf_end = static_cast<std::int32_t>(forest_.leaf_values.size());
    forest_.trees.push_back(tree);
  }

  void link(const ForestTree& tree, std::int32_t parent, bool left, std::int32_t child) {
    if (parent < 0) return;
    ForestNode& node = forest_.nodes[static_cast<std::size_t>(tree.node_begin + parent)];
    (left ? node.left : node.right) = child;
  }

  const Shape& shape_;
  std::mt19937 random_;
  Forest forest_;
  std::vector<std::vector<double>> cuts_;
  std::vector<std::pair<std::int32_t, bool>> closed_;
};

/// A forest, rows for it (with a column that the model does not read), and the right answers.
struct Case {
  Forest forest;
  std::vector<std::int32_t> columns;
  std::vector<float> rows;
  std::size_t stride = 0, count = 0;
  std::vector<double> scores;
  std::vector<std::int32_t> leaves;

  Case(const Shape& shape, unsigned seed) {
    ForestMaker maker(shape, seed);
    forest = maker.make();
    const auto features = static_cast<std::size_t>(shape.features);
    stride = features + 1;
    for (std::size_t f = 0; f < features; ++f) {
      columns.push_back(static_cast<std::int32_t>(features - f));
    }
    count = shape.rows;
    rows.assign(count * stride, nan_value);
    for (std::size_t r = 0; r < count; ++r) {
      for (std::size_t f = 0; f < features && r != 3; ++f) {  // row 3 is all NaN
        rows[r * stride + static_cast<std::size_t>(columns[f])] = maker.value_for(f);
      }
    }
    const auto outputs = static_cast<std::size_t>(forest.outputs);
    scores.assign(count * outputs, 0);
    for (std::size_t r = 0; r < count; ++r) {
      for (const ForestTree& tree : forest.trees) {
        const std::int32_t leaf = obvious_leaf(forest, tree, &rows[r * stride], columns);
        leaves.push_back(leaf);
        scores[r * outputs + static_cast<std::size_t>(tree.output)] +=
            forest.leaf_values[static_cast<std::size_t>(tree.leaf_begin + leaf)];
      }
    }
  }

  FeatureMatrixView view(std::size_t first, std::size_t n) const {
    return {rows.data() + first * stride, n, stride, stride};
  }
};

enum class Way { cpu, cuda, cuda_wide };

class ForestConformance : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (GetParam() != Way::cpu && probe_cuda().devices == 0) {
      GTEST_SKIP() << "no CUDA device: " << probe_cuda().problem;
    }
  }

  std::unique_ptr<ForestScorer> scorer_of(const Case& test) const {
    if (GetParam() == Way::cpu) {
      return make_forest_scorer(test.forest, test.columns, Backend::cpu);
    }
    return make_forest_scorer_cuda(
        make_forest_image(test.forest, test.columns),
        GetParam() == Way::cuda ? CudaRowsPerThread::one : CudaRowsPerThread::four);
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

Shape shape_of(const char* name) {
  Shape shape;
  shape.name = name;
  return shape;
}

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

TEST_P(ForestConformance, LessThanInFloat) {
  Shape shape = shape_of("less");
  shape.less = true;
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

std::string name_of_way(const ::testing::TestParamInfo<Way>& way) {
  static const char* const names[] = {"cpu", "cuda", "cuda_wide"};
  return names[static_cast<int>(way.param)];
}

INSTANTIATE_TEST_SUITE_P(Ways, ForestConformance,
                         ::testing::Values(Way::cpu, Way::cuda, Way::cuda_wide), name_of_way);

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
    memory[f * static_cast<std::size_t>(codes.threads) * 4] = static_cast<unsigned char>(
        code_of(feature, codes.cuts.data(), image.view(), row[feature.column]));
  }
  double sum = 0;
  for (const CodeStage& stage : codes.directory) {
    memory.resize(tile);
    memory.insert(memory.end(), codes.stages.begin() + stage.begin,
                  codes.stages.begin() + stage.begin + stage.bytes);
    for (std::int32_t t = 0; t < stage.trees; ++t) {
      const auto tree = reinterpret_cast<const CodeTree*>(memory.data() + tile)[t];
      auto at = static_cast<std::uint32_t>(tile) + tree.root;
      for (std::int32_t d = 0; d < tree.depth; ++d) at = code_step(memory.data(), at, 0);
      const std::uint32_t value =
          2 * at + static_cast<std::uint32_t>(tree.value_bias) - static_cast<std::uint32_t>(tile);
      sum += *reinterpret_cast<const double*>(memory.data() + value);
    }
  }
  return sum;
}

TEST(ForestCodes, WalkToTheSameSums) {
  Shape shape = shape_of("codes");
  shape.categorical_percent = 15;
  shape.distinct_cuts = 400;
  shape.leaves = 200;
  shape.features = 4;
  const Case test(shape, 21);
  const ForestImage image = make_forest_image(test.forest, test.columns);
  std::string why;
  const auto codes = make_forest_codes(image, forest_tuning_of(90), 227 * 1024, why);
  ASSERT_TRUE(codes) << why;
  for (std::size_t r = 0; r < test.count; ++r) {
    EXPECT_EQ(score_by_codes(*codes, image, &test.rows[r * test.stride]), test.scores[r]) << r;
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
                                 227 * 1024, why));
  EXPECT_NE(why.find("stage"), std::string::npos) << why;
}

}  // namespace
}  // namespace tidemark
