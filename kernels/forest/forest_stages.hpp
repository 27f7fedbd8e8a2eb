// The trees of a forest packed into stages: blocks of memory that a device copies into shared
// memory one after the other. Built on the host at load; the second half of making ForestCodes.
#pragma once

#include <cstdint>

#include "kernels/forest/code_columns.hpp"
#include "kernels/forest/forest_codes.hpp"
#include "kernels/forest/forest_image.hpp"

namespace tidemark {

/// Levels of the perfect trees that hold every tree of the forest, 0 where one is too deep.
int perfect_levels_of(const ForestImage& image);

/// Bytes of the largest tree with so many levels, or linked where they are 0.
std::uint32_t largest_tree_bytes(const ForestImage& image, int levels, std::uint32_t value_bytes);

/// Fills codes.stages and codes.directory, in tree order, for codes.sum, .levels and .threads. A
/// stage has at most `stage_bytes`, or holds a single larger tree. False where a linked tree has
/// more nodes than one of them can say.
bool make_code_stages(const ForestImage& image, const CodeColumns& columns,
                      std::uint32_t stage_bytes, ForestCodes& codes);

}  // namespace tidemark
