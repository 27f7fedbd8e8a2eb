// A forest that an importer has accepted: every kernel gives it the bits of the plain walk.
#pragma once

#include "kernels/data/forest.hpp"

namespace tidemark::fuzz {

/// Scores rows on, beside and far from the forest's own cuts with the compiled forest and with
/// models/forest_oracle, and ends the process where leaves or bits differ. Forests too large for a
/// fuzzer's pace are left alone.
void check_forest(const Forest& forest);

}  // namespace tidemark::fuzz
