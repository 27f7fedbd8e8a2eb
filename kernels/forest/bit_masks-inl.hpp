// Stages 1 to 3 of the bit-sliced kernel, for one instruction set: transpose the block, find each
// value's place among its column's cuts as bit planes, and turn planes into one mask a cut.
// Included by bit_kernel.cpp once per target; holds no state.
#if defined(TIDEMARK_BIT_MASKS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TIDEMARK_BIT_MASKS_INL
#undef TIDEMARK_BIT_MASKS_INL
#else
#define TIDEMARK_BIT_MASKS_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/forest/bit_kernel.hpp"

HWY_BEFORE_NAMESPACE();
namespace tidemark {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using BitsTag = hn::ScalableTag<std::uint64_t>;
using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::ScalableTag<std::int32_t>;
using Bits = hn::Vec<BitsTag>;
using Floats = hn::Vec<FloatTag>;
using Ints = hn::Vec<IntTag>;

/// A mask is one vector: as many rows as it has bits.
constexpr std::size_t kMaskBytes = HWY_LANES(std::uint8_t);
constexpr std::size_t kRows = kMaskBytes * 8;
constexpr std::size_t kFloats = HWY_LANES(float);
static_assert(kFloats >= 4);

HWY_INLINE Bits load_mask(const std::uint8_t* at) {
  return hn::Load(BitsTag(), reinterpret_cast<const std::uint64_t*>(at));
}
HWY_INLINE void store_mask(Bits mask, std::uint8_t* at) {
  hn::Store(mask, BitsTag(), reinterpret_cast<std::uint64_t*>(at));
}

/// Bits of rows [r, r + kFloats) of a mask; rows come in ascending order.
template <typename D, typename Mask>
HWY_INLINE void store_bits(D d, Mask mask, std::uint8_t* at, std::size_t r) {
  if constexpr (kFloats >= 8) {
    hn::StoreMaskBits(d, mask, at + r / 8);
  } else {
    std::uint8_t bits[8];
    hn::StoreMaskBits(d, mask, bits);
    at[r / 8] = static_cast<std::uint8_t>(r % 8 == 0 ? bits[0] : at[r / 8] | (bits[0] << 4));
  }
}

/// Stage 1. Sixteen columns at a time, so that each row's cache lines are touched once.
inline void transpose(const BitBlock& block) {
  const std::vector<std::uint32_t>& sources = block.forest.sources;
  const std::size_t stride = block.scratch.column_stride;
  for (std::size_t first = 0; first < sources.size(); first += 16) {
    const std::size_t count = std::min<std::size_t>(16, sources.size() - first);
    float* columns = block.scratch.columns.get() + first * stride;
    for (std::size_t r = 0; r < block.rows.rows; ++r) {
      const float* row = block.rows.row(r);
      for (std::size_t c = 0; c < count; ++c) columns[c * stride + r] = row[sources[first + c]];
    }
  }
}

#if HWY_TARGET == HWY_AVX2
/// One of 8 x kTables entries, eight at a time: vpermps reads the low three bits of an index, and a
/// blend reads the sign, where the next bit is moved to. Forests of 500 trees score twice as fast
/// as with gathers.
template <int kTables>
HWY_INLINE __m256 look_up_tables(const float* table, __m256i entry) {
  if constexpr (kTables == 1) {
    return _mm256_permutevar8x32_ps(_mm256_load_ps(table), entry);
  } else {
    constexpr int half = kTables / 2;
    constexpr int bit = half == 1 ? 3 : half == 2 ? 4 : half == 4 ? 5 : 6;
    const __m256 choose = _mm256_castsi256_ps(_mm256_slli_epi32(entry, 31 - bit));
    return _mm256_blendv_ps(look_up_tables<half>(table, entry),
                            look_up_tables<half>(table + 8 * half, entry), choose);
  }
}
#endif

/// table[entry] of level kLevel: registers where the level fits them, else a gather.
template <int kLevel>
HWY_INLINE Floats look_up(const float* level, Ints entry) {
#if HWY_TARGET <= HWY_AVX3
  // vpermps and vpermi2ps read only the low bits of an index: no masking.
  if constexpr (kLevel <= 4) {
    return Floats{_mm512_permutexvar_ps(entry.raw, _mm512_load_ps(level))};
  } else if constexpr (kLevel <= 7) {
    constexpr int pairs = 1 << (kLevel - 5);
    __m512 picked[pairs];
    for (int p = 0; p < pairs; ++p) {
      picked[p] = _mm512_permutex2var_ps(_mm512_load_ps(level + 32 * p), entry.raw,
                                         _mm512_load_ps(level + 32 * p + 16));
    }
    for (int width = pairs / 2, bit = 5; width > 0; width /= 2, ++bit) {
      const __mmask16 set = _mm512_test_epi32_mask(entry.raw, _mm512_set1_epi32(1 << bit));
      for (int p = 0; p < width; ++p) {
        picked[p] = _mm512_mask_blend_ps(set, picked[2 * p], picked[2 * p + 1]);
      }
    }
    return Floats{picked[0]};
  }
#elif HWY_TARGET == HWY_AVX2
  if constexpr (kLevel <= 7) {
    return Floats{look_up_tables<(kLevel <= 3 ? 1 : 1 << (kLevel - 3))>(level, entry.raw)};
  }
#endif
  return hn::GatherIndex(FloatTag(), level, entry);
}

/// Values with what is missing replaced: at -infinity every cut sends left, at +infinity right.
HWY_INLINE Floats present(Floats x, const BitColumn& column) {
  const FloatTag d;
  const Floats missing_as = hn::Set(d, column.missing_as);
  auto missing = hn::IsNaN(x);
  if (column.zero_missing) missing = hn::Or(missing, hn::Le(hn::Abs(x), hn::Set(d, zero_edge)));
  if (column.only_missing) x = hn::Neg(missing_as);
  return hn::IfThenElse(missing, missing_as, x);
}

template <int kLevel, int kBitsOfCode>
HWY_INLINE void search_level(const float* search, Floats x, Ints& entry, std::uint8_t* planes,
                             std::size_t r) {
  if constexpr (kLevel < kBitsOfCode) {
    const FloatTag d;
    const auto above = hn::Gt(x, look_up<kLevel>(search + search_level_begin(kLevel), entry));
    store_bits(d, above, planes + (kBitsOfCode - 1 - kLevel) * kMaskBytes, r);
    const auto bit = hn::Set(IntTag(), std::int32_t{1} << kLevel);
    entry = hn::Or(entry, hn::IfThenElseZero(hn::RebindMask(IntTag(), above), bit));
    search_level<kLevel + 1, kBitsOfCode>(search, x, entry, planes, r);
  }
}

/// Stage 2. plane k holds bit k of the number of cuts below each value.
template <int kBitsOfCode>
HWY_INLINE void find_planes(const BitColumn& column, const float* search, const float* values,
                            std::uint8_t* planes) {
  for (std::size_t r = 0; r < kRows; r += kFloats) {
    const Floats x = present(hn::LoadU(FloatTag(), values + r), column);
    Ints entry = hn::Zero(IntTag());
    search_level<0, kBitsOfCode>(search, x, entry, planes, r);
  }
}

/// The same for columns of more than 255 cuts.
inline void find_many_planes(const BitColumn& column, const float* search, const float* values,
                             std::uint8_t* planes) {
  const FloatTag d;
  for (std::size_t r = 0; r < kRows; r += kFloats) {
    const Floats x = present(hn::LoadU(d, values + r), column);
    Ints entry = hn::Zero(IntTag());
    for (std::uint32_t level = 0; level < column.bits; ++level) {
      const auto above = hn::Gt(x, hn::GatherIndex(d, search + search_level_begin(level), entry));
      store_bits(d, above, planes + (column.bits - 1 - level) * kMaskBytes, r);
      const auto bit = hn::Set(IntTag(), static_cast<std::int32_t>(1u << level));
      entry = hn::Or(entry, hn::IfThenElseZero(hn::RebindMask(IntTag(), above), bit));
    }
  }
}

/// Stage 3. masks[c] = (code > c) for c < count. From low bits to high: with one more bit x on top,
/// code > c is "x or what it was" in the lower half and "x and what it was" in the upper.
template <int kBitsOfCode>
HWY_INLINE void compare_planes(const std::uint8_t* planes, std::uint32_t count,
                               std::uint8_t* masks) {
  constexpr int top = kBitsOfCode >= 2 ? 2 : 1;
  constexpr int low = kBitsOfCode - top;
  HWY_ALIGN std::uint8_t lower[kMaskBytes << low];
  store_mask(hn::Zero(BitsTag()), lower);
  for (int bit = 0; bit < low; ++bit) {
    const std::size_t half = std::size_t{1} << bit;
    const Bits x = load_mask(planes + static_cast<std::size_t>(bit) * kMaskBytes);
    for (std::size_t c = 0; c < half; ++c) {
      const Bits was = load_mask(lower + c * kMaskBytes);
      store_mask(hn::Or(x, was), lower + c * kMaskBytes);
      store_mask(hn::And(x, was), lower + (half + c) * kMaskBytes);
    }
  }
  const Bits b = load_mask(planes + low * kMaskBytes);
  const Bits a = top == 2 ? load_mask(planes + (low + 1) * kMaskBytes) : b;
  constexpr std::uint32_t part = 1u << low;
  for (std::uint32_t q = 0; q < (1u << top) && q * part < count; ++q) {
    const std::uint32_t here = std::min(part, count - q * part);
    std::uint8_t* out = masks + std::size_t{q} * part * kMaskBytes;
    if constexpr (top == 1) {
      store_mask(q == 0 ? b : hn::Zero(BitsTag()), out);
    } else {
      for (std::uint32_t c = 0; c < here; ++c) {
        const Bits was = load_mask(lower + std::size_t{c} * kMaskBytes);
        const Bits inner = (q & 1u) ? hn::And(b, was) : hn::Or(b, was);
        store_mask((q & 2u) ? hn::And(a, inner) : hn::Or(a, inner),
                   out + std::size_t{c} * kMaskBytes);
      }
    }
  }
}

inline void compare_many_planes(const std::uint8_t* planes, const BitColumn& column,
                                std::uint8_t* masks) {
  for (std::uint32_t c = 0; c < column.cut_count; ++c) {
    Bits mask = hn::Zero(BitsTag());
    for (std::uint32_t bit = 0; bit < column.bits; ++bit) {
      const Bits x = load_mask(planes + bit * kMaskBytes);
      mask = ((c >> bit) & 1u) ? hn::And(x, mask) : hn::Or(x, mask);
    }
    store_mask(mask, masks + std::size_t{c} * kMaskBytes);
  }
}

template <int kBitsOfCode>
HWY_NOINLINE void masks_of_width(const BitColumn& column, const float* search, const float* values,
                                 std::uint8_t* masks) {
  HWY_ALIGN std::uint8_t planes[kBitsOfCode * kMaskBytes];
  find_planes<kBitsOfCode>(column, search, values, planes);
  compare_planes<kBitsOfCode>(planes, column.cut_count, masks);
}

inline void column_masks(const BitBlock& block, const BitColumn& column) {
  const float* values = block.scratch.columns.get() + column.source * block.scratch.column_stride;
  const float* search = block.forest.search[column.search_begin].entries.data();
  std::uint8_t* masks = block.scratch.masks.get() + std::size_t{column.mask_begin} * kMaskBytes;
  switch (column.bits) {
    case 1:
      return masks_of_width<1>(column, search, values, masks);
    case 2:
      return masks_of_width<2>(column, search, values, masks);
    case 3:
      return masks_of_width<3>(column, search, values, masks);
    case 4:
      return masks_of_width<4>(column, search, values, masks);
    case 5:
      return masks_of_width<5>(column, search, values, masks);
    case 6:
      return masks_of_width<6>(column, search, values, masks);
    case 7:
      return masks_of_width<7>(column, search, values, masks);
    case 8:
      return masks_of_width<8>(column, search, values, masks);
    default:
      break;
  }
  HWY_ALIGN std::uint8_t planes[32 * kMaskBytes];
  find_many_planes(column, search, values, planes);
  compare_many_planes(planes, column, masks);
}

/// Category sets: right where the category is not in the set. Values are cut toward zero; those
/// that are no category (negative, beyond int32) are in no set, NaN where the set says.
inline void set_masks(const BitBlock& block) {
  const FloatTag d;
  const IntTag di;
  for (const BitSet& set : block.forest.sets) {
    std::uint8_t* mask = block.scratch.masks.get() + std::size_t{set.mask} * kMaskBytes;
    const float* values = block.scratch.columns.get() + set.source * block.scratch.column_stride;
    // An empty set reads the word of nothing.
    static constexpr std::int32_t none = 0;
    const auto* words =
        set.set.words == 0
            ? &none
            : reinterpret_cast<const std::int32_t*>(block.image.category_words + set.set.begin);
    const Ints last_word =
        hn::Set(di, static_cast<std::int32_t>(std::max(set.set.words, std::uint32_t{1}) - 1));
    const auto missing_left =
        hn::Eq(hn::Set(di, static_cast<std::int32_t>(set.set.missing_left)), hn::Set(di, 1));
    for (std::size_t r = 0; r < kRows; r += kFloats) {
      const Floats x = hn::LoadU(d, values + r);
      const auto valid =
          hn::And(hn::Gt(x, hn::Set(d, set.set.above)), hn::Lt(x, hn::Set(d, 2147483648.0f)));
      const Ints category = hn::ConvertTo(di, hn::IfThenElse(valid, x, hn::Zero(d)));
      const Ints word = hn::ShiftRight<5>(category);
      const Ints bits = hn::GatherIndex(di, words, hn::Min(word, last_word));
      const Ints bit = hn::Shl(hn::Set(di, 1), hn::And(category, hn::Set(di, 31)));
      const auto in = hn::And(hn::And(hn::RebindMask(di, valid), hn::Not(hn::Gt(word, last_word))),
                              hn::TestBit(bits, bit));
      const auto missing = hn::And(hn::RebindMask(di, hn::IsNaN(x)), missing_left);
      store_bits(di, hn::Not(hn::Or(in, missing)), mask, r);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tidemark
HWY_AFTER_NAMESPACE();

#endif
