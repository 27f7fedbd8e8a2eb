// Forests of a stated shape from a seed: the same nodes on every machine, so that counts of what a
// kernel executes are exact, and no trained model has to be carried to where a GPU is. The splits
// of full trees are random, which is the worst case for a warp: real rows part less.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/data/feature_matrix.hpp"
#include "kernels/data/forest.hpp"

namespace tidemark {

struct MadeShape {
  std::string name;
  int trees = 0;
  int leaves = 0;  // of a tree
  int depth = 0;   // 0: as deep as leaf-wise growth makes it
  int features = 64;
  int cuts = 254;  // distinct ones of a feature, as trainers with 255 bins make them
};

/// 500 full trees of depth 8.
MadeShape made_f1();
/// 1000 leaf-wise trees of 64 leaves, grown where most rows are, as LightGBM grows them.
MadeShape made_f2();

Forest make_forest(const MadeShape& shape, std::uint32_t seed);

/// Rows for it, uniform over the cuts of a made forest, normal for a trained one; a tenth of the
/// values of every fourth feature is missing.
FeatureMatrix make_rows(const Forest& forest, std::size_t rows, std::uint32_t seed);

}  // namespace tidemark
