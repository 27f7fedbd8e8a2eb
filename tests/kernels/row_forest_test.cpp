// The kernel of few rows by itself, for the scorer takes other ones where those are faster: every
// depth of perfect trees, linked ones, and counts of rows that fill a flight and that do not.
#include "kernels/forest/row_forest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "tests/kernels/forest_cases.hpp"

namespace tidemark {
namespace {

using namespace forest_cases;

/// `levels` is what the trees should become.
void expect_same_bits(const Shape& shape, std::uint32_t levels) {
  const Case test(shape, 17);
  const ForestImage image = make_forest_image(test.forest, test.columns);
  const auto forest = make_row_forest(image);
  ASSERT_TRUE(forest);
  EXPECT_EQ(forest->levels, levels);
  const auto outputs = static_cast<std::size_t>(shape.outputs);
  for (std::size_t count = 0; count <= 17; ++count) {
    std::vector<double> scores(count * outputs, -1);
    score_by_rows(*forest, image.view(), test.view(0, count), scores.data());
    for (std::size_t i = 0; i < scores.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint64_t>(scores[i]),
                std::bit_cast<std::uint64_t>(test.scores[i]))
          << "row " << i / outputs << " of " << count;
    }
  }
}

Shape shape_of_depth(int depth) {
  Shape shape = shape_of("rows");
  shape.trees = 21;
  shape.depth = depth;
  shape.leaves = 1 << std::min(depth, 20);
  shape.rows = 17;
  shape.categorical_percent = depth < 4 ? 15 : 0;  // each set is a feature of its own
  return shape;
}

TEST(RowForest, PerfectTreesOfEveryDepth) {
  for (int depth = 1; depth <= 8; ++depth) {
    for (const int outputs : {1, 3}) {
      for (const bool strict : {false, true}) {
        SCOPED_TRACE(depth);
        Shape shape = shape_of_depth(depth);
        shape.outputs = outputs;
        shape.strict = strict;
        expect_same_bits(shape, static_cast<std::uint32_t>(depth));
      }
    }
  }
}

TEST(RowForest, LinkedTrees) {
  for (const auto& [depth, leaves] : {std::pair{20, 64}, {12, 900}, {40, 41}, {8, 12}}) {
    for (const int outputs : {1, 3}) {
      for (const bool strict : {false, true}) {
        SCOPED_TRACE(leaves);
        Shape shape = shape_of_depth(depth);
        shape.leaves = leaves;
        shape.categorical_percent = leaves == 12 ? 30 : 0;
        shape.chain = leaves == 41;
        shape.outputs = outputs;
        shape.strict = strict;
        expect_same_bits(shape, 0);
      }
    }
  }
}

TEST(RowForest, TreesOfOneLeaf) {
  Shape shape = shape_of_depth(1);
  shape.leaves = 1;
  expect_same_bits(shape, 1);
  shape.trees = 0;
  expect_same_bits(shape, 1);
}

TEST(RowForest, IsNotMadeOfTooManyFeatures) {
  Shape shape = shape_of_depth(8);
  shape.features = 400;
  shape.trees = 40;
  const Case wide(shape, 1);
  EXPECT_FALSE(make_row_forest(make_forest_image(wide.forest, wide.columns)));
}

TEST(RowForestSlow, IsNotMadeOfTooLargeTrees) {
  Shape shape = shape_of_depth(1);
  shape.trees = 1;
  shape.depth = 40;
  shape.leaves = 200'000;
  const Case large(shape, 1);
  EXPECT_FALSE(make_row_forest(make_forest_image(large.forest, large.columns)));
}

}  // namespace
}  // namespace tidemark
