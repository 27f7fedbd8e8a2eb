// Stage 6 of the bit-sliced kernel, for one instruction set: add the leaves of a few trees to the
// sums of a block. With VBMI a tree's values stand as planes of bytes, and one instruction looks up
// a byte of 64 rows; elsewhere values are loaded one by one. The additions are the same. Included
// by bit_leaves-inl.hpp once per target; holds no state.
#if defined(TIDEMARK_BIT_SUMS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TIDEMARK_BIT_SUMS_INL
#undef TIDEMARK_BIT_SUMS_INL
#else
#define TIDEMARK_BIT_SUMS_INL
#endif

#include <hwy/highway.h>

#include "kernels/forest/bit_masks-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tidemark {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3_DL

constexpr LeafTables kLeafTables = LeafTables::byte_planes;

/// Where the sum of the row at `place` is kept: bytes become numbers by interleaving within 16-byte
/// lanes, which leaves 64 rows in another order. Undone where scores are written.
template <typename Number>
constexpr std::size_t slot_of_place(std::size_t place) {
  constexpr std::size_t in_lane = 16 / sizeof(Number);  // numbers of a lane of one vector
  const std::size_t lane = place % 64 / 16, i = place % 16;
  return place / 64 * 64 + i / in_lane * (64 / sizeof(Number)) + lane * in_lane + i % in_lane;
}

inline __m512i line_of(const ByteLine* line) {
  return _mm512_load_si512(line->bytes.data());
}

/// kBytes vectors: byte b of the value of each of 64 codes. A table of several lines a plane is
/// looked up line by line, each for the codes that fall into it.
template <int kBytes, int kLines>
HWY_INLINE void look_up_bytes(const ByteLine* table, __m512i codes, __m512i* planes) {
  const __mmask64 bit6 = _mm512_test_epi8_mask(codes, _mm512_set1_epi8(0x40));
  const __mmask64 bit7 = kLines == 4 ? _mm512_movepi8_mask(codes) : 0;
  for (int b = 0; b < kBytes; ++b, table += kLines) {
    __m512i found = _mm512_permutexvar_epi8(codes, line_of(table));
    if constexpr (kLines > 1) {
      found = _mm512_mask_permutexvar_epi8(found, bit6 & ~bit7, codes, line_of(table + 1));
    }
    if constexpr (kLines > 2) {
      found = _mm512_mask_permutexvar_epi8(found, bit7 & ~bit6, codes, line_of(table + 2));
      found = _mm512_mask_permutexvar_epi8(found, bit7 & bit6, codes, line_of(table + 3));
    }
    planes[b] = found;
  }
}

template <int kBytes>
HWY_INLINE void look_up_bytes(const LeafTable& table, __m512i codes, __m512i* planes) {
  if (table.lines == 4) return look_up_bytes<kBytes, 4>(table.planes, codes, planes);
  if (table.lines == 2) return look_up_bytes<kBytes, 2>(table.planes, codes, planes);
  return look_up_bytes<kBytes, 1>(table.planes, codes, planes);
}

/// Eight planes of bytes to eight vectors of doubles, added; four planes to four of floats.
HWY_INLINE void add_planes(const __m512i* planes, __m512d* sums) {
  __m512i words[2][4], dwords[4][2];
  for (int p = 0; p < 4; ++p) {
    words[0][p] = _mm512_unpacklo_epi8(planes[2 * p], planes[2 * p + 1]);
    words[1][p] = _mm512_unpackhi_epi8(planes[2 * p], planes[2 * p + 1]);
  }
  for (int w = 0; w < 2; ++w) {
    for (int p = 0; p < 2; ++p) {
      dwords[2 * w][p] = _mm512_unpacklo_epi16(words[w][2 * p], words[w][2 * p + 1]);
      dwords[2 * w + 1][p] = _mm512_unpackhi_epi16(words[w][2 * p], words[w][2 * p + 1]);
    }
  }
  for (int d = 0; d < 4; ++d) {
    const __m512i low = _mm512_unpacklo_epi32(dwords[d][0], dwords[d][1]);
    const __m512i high = _mm512_unpackhi_epi32(dwords[d][0], dwords[d][1]);
    sums[2 * d] = _mm512_add_pd(sums[2 * d], _mm512_castsi512_pd(low));
    sums[2 * d + 1] = _mm512_add_pd(sums[2 * d + 1], _mm512_castsi512_pd(high));
  }
}
HWY_INLINE void add_planes(const __m512i* planes, __m512* sums) {
  for (int half = 0; half < 2; ++half) {
    const auto unpack = [half](__m512i a, __m512i b) {
      return half == 0 ? _mm512_unpacklo_epi8(a, b) : _mm512_unpackhi_epi8(a, b);
    };
    const __m512i low = unpack(planes[0], planes[1]), high = unpack(planes[2], planes[3]);
    __m512* const to = sums + 2 * half;
    to[0] = _mm512_add_ps(to[0], _mm512_castsi512_ps(_mm512_unpacklo_epi16(low, high)));
    to[1] = _mm512_add_ps(to[1], _mm512_castsi512_ps(_mm512_unpackhi_epi16(low, high)));
  }
}

HWY_INLINE void load_sums(const double* from, __m512d& to) {
  to = _mm512_load_pd(from);
}
HWY_INLINE void load_sums(const float* from, __m512& to) {
  to = _mm512_load_ps(from);
}
HWY_INLINE void store_sums(__m512d from, double* to) {
  _mm512_store_pd(to, from);
}
HWY_INLINE void store_sums(__m512 from, float* to) {
  _mm512_store_ps(to, from);
}

inline __m512d vector_of(double) {
  return _mm512_setzero_pd();
}
inline __m512 vector_of(float) {
  return _mm512_setzero_ps();
}

/// sums[slot] += the leaf of each of kTrees trees, one after the other; codes are by place.
template <int kTrees, typename Number>
HWY_NOINLINE void add_leaves(const LeafTable* tables, const std::uint8_t* codes, Number* sums) {
  constexpr int kBytes = sizeof(Number);
  constexpr int kNumbers = 64 / kBytes;  // of a vector
  for (std::size_t first = 0; first < kRows; first += 64) {
    decltype(vector_of(Number())) of_rows[kBytes];
    for (int v = 0; v < kBytes; ++v) load_sums(sums + first + v * kNumbers, of_rows[v]);
    for (int t = 0; t < kTrees; ++t) {
      __m512i planes[kBytes];
      look_up_bytes<kBytes>(tables[t],
                            _mm512_load_si512(codes + static_cast<std::size_t>(t) * kRows + first),
                            planes);
      add_planes(planes, of_rows);
    }
    for (int v = 0; v < kBytes; ++v) store_sums(of_rows[v], sums + first + v * kNumbers);
  }
}

#else

constexpr LeafTables kLeafTables = LeafTables::values;

template <typename Number>
constexpr std::size_t slot_of_place(std::size_t place) {
  return place;
}

inline const double* values_of(const LeafTable& table, double) {
  return table.values;
}
inline const float* values_of(const LeafTable& table, float) {
  return table.values32;
}

/// sums[slot] += the leaf of each of kTrees trees, one after the other.
template <int kTrees, typename Number>
HWY_NOINLINE void add_leaves(const LeafTable* tables, const std::uint8_t* codes, Number* sums) {
  const Number* values[kTrees];
  for (int t = 0; t < kTrees; ++t) values[t] = values_of(tables[t], Number());
  for (std::size_t place = 0; place < kRows; ++place) {
    Number sum = sums[place];
    for (int t = 0; t < kTrees; ++t) {
      sum += values[t][codes[static_cast<std::size_t>(t) * kRows + place]];
    }
    sums[place] = sum;
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace tidemark
HWY_AFTER_NAMESPACE();

#endif
