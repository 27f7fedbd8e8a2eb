// The kernel for few rows, with VBMI only: a row's codes are looked up for 64 trees at once and
// compared with their ranks, the decisions are selected as those of 512 rows would be, and the
// leaves are added in the trainer's order. Included by bit_kernel.cpp once per target; holds no
// state.
#if defined(TIDEMARK_LANE_KERNEL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TIDEMARK_LANE_KERNEL_INL
#undef TIDEMARK_LANE_KERNEL_INL
#else
#define TIDEMARK_LANE_KERNEL_INL
#endif

#include <hwy/highway.h>

#include "kernels/forest/bit_leaves-inl.hpp"

#if HWY_TARGET <= HWY_AVX3_DL
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",gfni")
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace tidemark {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3_DL

static_assert(kRows == lane_trees, "trees take the places of a block's rows");

/// Inverse of row_of_place, by row: where the code of a tree stands.
struct PlaceOfRow {
  std::uint16_t place[kRows];
};
constexpr PlaceOfRow make_place_of_row() {
  PlaceOfRow inverse{};
  for (std::size_t p = 0; p < kRows; ++p) {
    inverse.place[row_of_place(p)] = static_cast<std::uint16_t>(p);
  }
  return inverse;
}
constexpr PlaceOfRow kPlaceOfRow = make_place_of_row();

/// Codes of one row, sixteen features side by side; see find_codes for the meaning.
inline void code_row(const CodeSearch& search, const ForestImageView& image, const float* row,
                     std::uint8_t* codes) {
  const FloatTag d;
  const IntTag di;
  const std::size_t count = search.features.size();
  for (std::size_t first = 0; first < count; first += kFloats) {
    const std::size_t here = std::min(kFloats, count - first);
    HWY_ALIGN float x[kFloats] = {};
    HWY_ALIGN std::int32_t begin[kFloats] = {}, found[kFloats];
    for (std::size_t i = 0; i < here; ++i) {
      const CodeFeature& feature = search.features[first + i];
      const float value = row[feature.column];
      x[i] = value == value ? value : 0.0f;
      if (!feature.categorical) begin[i] = static_cast<std::int32_t>(feature.begin);
    }
    const Floats key = hn::Load(d, x);
    const Ints base = hn::Load(di, begin);
    Ints at = hn::Set(di, 1);
    for (std::uint32_t step = 0; step < search.steps; ++step) {
      const Floats cut = hn::GatherIndex(d, search.cuts.data(), hn::Add(base, at));
      const Ints below = hn::IfThenElseZero(hn::RebindMask(di, hn::Lt(cut, key)), hn::Set(di, 1));
      at = hn::Add(hn::Add(at, at), below);
    }
    hn::Store(at, di, found);
    for (std::size_t i = 0; i < here; ++i) {
      codes[first + i] = static_cast<std::uint8_t>(found[i] - (1 << search.steps));
    }
    for (std::size_t i = 0; i < here; ++i) {
      const CodeFeature& feature = search.features[first + i];
      const float value = row[feature.column];
      const bool zero = feature.zero_missing && value >= -zero_edge && value <= zero_edge;
      if (feature.categorical) {
        const CategorySet set = image.category_sets[feature.begin];
        codes[first + i] = in_category_set(value, set, image.category_words) ? 0 : 1;
      } else if ((zero || value != value) && feature.missing != MissingCode::as_zero) {
        codes[first + i] = feature.missing == MissingCode::left
                               ? 0
                               : static_cast<std::uint8_t>(code_missing_right);
      }
    }
  }
}

/// Decisions of kCount rows in the trees of one group: masks[row][position], a bit a tree. With
/// more than 64 features a code is looked up in two vectors.
template <int kCount, bool kManyFeatures>
HWY_INLINE void decide(const LaneTests* tests, std::size_t positions, std::size_t words,
                       const std::uint8_t* const* codes, std::uint8_t* const* masks) {
  __m512i low[kCount], high[kCount];
  for (int r = 0; r < kCount; ++r) {
    low[r] = _mm512_load_si512(codes[r]);
    high[r] = _mm512_load_si512(codes[r] + 64);
  }
  for (std::size_t p = 0; p < positions; ++p, tests += lane_trees / 64) {
    for (std::size_t w = 0; w < words; ++w) {
      const __m512i feature = _mm512_load_si512(tests[w].feature.data());
      const __m512i rank = _mm512_load_si512(tests[w].rank.data());
      for (int r = 0; r < kCount; ++r) {
        const __m512i code = kManyFeatures ? _mm512_permutex2var_epi8(low[r], feature, high[r])
                                           : _mm512_permutexvar_epi8(feature, low[r]);
        const __mmask64 right = _mm512_cmpgt_epu8_mask(code, rank);
        _store_mask64(reinterpret_cast<__mmask64*>(masks[r] + p * kMaskBytes + w * 8), right);
      }
    }
  }
}

/// Leaves of one group on the only sum of a row, in its own arithmetic: a sum that changes its type
/// at every step takes twice as long.
template <typename Number>
HWY_INLINE void add_to_one(const LaneForest& forest, std::size_t begin, std::size_t end,
                           const std::uint8_t* codes, double& out) {
  const double* values = forest.values.data() + (begin << forest.levels);
  Number sum = static_cast<Number>(out);
  for (std::size_t t = begin; t < end; ++t, values += std::size_t{1} << forest.levels) {
    sum += static_cast<Number>(values[codes[kPlaceOfRow.place[t - begin]]]);
  }
  out = static_cast<double>(sum);
}

inline void add_group(const LaneForest& forest, const ForestImageView& image, std::size_t group,
                      const std::uint8_t* codes, double* out) {
  const std::size_t begin = group * lane_trees;
  const std::size_t end = std::min(begin + lane_trees, forest.output_of.size());
  if (image.outputs == 1 && image.sum == SumKind::float64) {
    return add_to_one<double>(forest, begin, end, codes, out[0]);
  }
  if (image.outputs == 1) return add_to_one<float>(forest, begin, end, codes, out[0]);
  const double* values = forest.values.data() + (begin << forest.levels);
  for (std::size_t t = begin; t < end; ++t, values += std::size_t{1} << forest.levels) {
    double& sum = out[forest.output_of[t]];
    sum = add_leaf(image.sum, sum, values[codes[kPlaceOfRow.place[t - begin]]]);
  }
}

/// kCount rows at once share what they read of the trees.
template <int kCount>
HWY_NOINLINE void score_lanes(const LaneBlock& block, std::size_t first) {
  const LaneForest& forest = block.forest;
  std::uint8_t* codes[kCount];
  std::uint8_t* masks[kCount];
  double* out[kCount];
  for (int r = 0; r < kCount; ++r) {
    const std::size_t row = first + static_cast<std::size_t>(r);
    codes[r] = block.scratch.codes.get() + static_cast<std::size_t>(r) * lane_features_max;
    masks[r] =
        block.scratch.masks.get() + static_cast<std::size_t>(r) * lane_positions_max * kMaskBytes;
    out[r] = block.scores + row * static_cast<std::size_t>(block.image.outputs);
    code_row(forest.search, block.image, block.rows.row(row), codes[r]);
    std::copy_n(block.image.base, block.image.outputs, out[r]);
  }
  const std::size_t groups = (forest.output_of.size() + lane_trees - 1) / lane_trees;
  const std::size_t positions = (std::size_t{1} << forest.levels) - 1;
  const LaneTests* tests = forest.tests.data();
  for (std::size_t group = 0; group < groups; ++group) {
    const std::size_t trees = std::min(lane_trees, forest.output_of.size() - group * lane_trees);
    const std::size_t words = (trees + 63) / 64;
    if (forest.search.features.size() > 64) {
      decide<kCount, true>(tests, positions, words, codes, masks);
    } else {
      decide<kCount, false>(tests, positions, words, codes, masks);
    }
    tests += positions * (lane_trees / 64);
    HWY_ALIGN std::uint8_t leaf_codes[lane_trees];
    for (int r = 0; r < kCount; ++r) {
      codes_of(forest.levels, masks[r], block.offsets.data(), leaf_codes);
      add_group(forest, block.image, group, leaf_codes, out[r]);
    }
  }
}

inline void run_lanes(const LaneBlock& block) {
  std::size_t row = 0;
  for (; row + 2 <= block.rows.rows; row += 2) score_lanes<2>(block, row);
  if (row < block.rows.rows) score_lanes<1>(block, row);
}
constexpr bool kHasLanes = true;

#else

inline void run_lanes(const LaneBlock&) {}
constexpr bool kHasLanes = false;

#endif

}  // namespace HWY_NAMESPACE
}  // namespace tidemark
HWY_AFTER_NAMESPACE();

#endif
