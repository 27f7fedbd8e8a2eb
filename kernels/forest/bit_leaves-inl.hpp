// Stages 4 and 5 of the bit-sliced kernel, for one instruction set: select each tree's decisions
// level by level, and turn the planes into one leaf code a row. What is done with the codes: leaves
// are added in the trainer's order by stage 6, bit_sums-inl.hpp, or named. Included by
// bit_kernel.cpp once per target; holds no state.
#if defined(TIDEMARK_BIT_LEAVES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TIDEMARK_BIT_LEAVES_INL
#undef TIDEMARK_BIT_LEAVES_INL
#else
#define TIDEMARK_BIT_LEAVES_INL
#endif

#include <hwy/highway.h>

#include "kernels/forest/bit_masks-inl.hpp"
#include "kernels/forest/bit_sums-inl.hpp"
#include "kernels/forest/walk.hpp"

#if HWY_TARGET <= HWY_AVX3_DL
// Every processor of this class has GFNI; Highway does not switch it on by itself.
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",gfni")
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace tidemark {
namespace HWY_NAMESPACE {

/// Bit by bit: `if_set` where `choose` is set, else `if_clear`.
HWY_INLINE Bits mux(Bits choose, Bits if_clear, Bits if_set) {
#if HWY_TARGET <= HWY_AVX3
  return Bits{_mm512_ternarylogic_epi64(choose.raw, if_set.raw, if_clear.raw, 0xCA)};
#else
  return hn::Xor(if_clear, hn::And(choose, hn::Xor(if_clear, if_set)));
#endif
}

/// One of the 2^kBits masks at `offsets`, by the decisions so far. The first decision is known
/// first, so it selects innermost.
template <int kBits>
HWY_INLINE Bits select(const std::uint8_t* masks, const std::uint32_t* offsets,
                       const Bits* decided) {
  if constexpr (kBits == 0) {
    return load_mask(masks + offsets[0]);
  } else {
    const Bits clear = select<kBits - 1>(masks, offsets, decided);
    const Bits set = select<kBits - 1>(masks, offsets + (1 << (kBits - 1)), decided);
    return mux(decided[kBits - 1], clear, set);
  }
}

template <int kLevel, int kWidth>
HWY_INLINE void select_levels(const std::uint8_t* masks, const std::uint32_t* offsets,
                              Bits* decided) {
  if constexpr (kLevel < kWidth) {
    decided[kLevel] = select<kLevel>(masks, offsets, decided);
    select_levels<kLevel + 1, kWidth>(masks, offsets + (1 << kLevel), decided);
  }
}

/// Swaps rows and columns of the 8 x 8 bits in every u64: byte k, bit r goes to byte r, bit k.
HWY_INLINE Bits transpose_bits(Bits x) {
#if HWY_TARGET <= HWY_AVX3_DL
  // As a matrix product: row r of the identity picks bit r of every byte; the instruction counts a
  // matrix's bytes from the other end, which `to_codes` has seen to.
  const __m512i identity = _mm512_set1_epi64(static_cast<long long>(0x8040201008040201u));
  return Bits{_mm512_gf2p8affine_epi64_epi8(identity, x.raw, 0)};
#else
  const BitsTag d;
  Bits t = hn::And(hn::Xor(x, hn::ShiftRight<7>(x)), hn::Set(d, 0x00AA00AA00AA00AAu));
  x = hn::Xor(x, hn::Xor(t, hn::ShiftLeft<7>(t)));
  t = hn::And(hn::Xor(x, hn::ShiftRight<14>(x)), hn::Set(d, 0x0000CCCC0000CCCCu));
  x = hn::Xor(x, hn::Xor(t, hn::ShiftLeft<14>(t)));
  t = hn::And(hn::Xor(x, hn::ShiftRight<28>(x)), hn::Set(d, 0x00000000F0F0F0F0u));
  return hn::Xor(x, hn::Xor(t, hn::ShiftLeft<28>(t)));
#endif
}

/// Row of the block whose code stands at `place`: interleaving works within 16-byte lanes, so
/// groups of 16 rows come out in another order, which is undone where scores are written.
constexpr std::size_t row_of_place(std::size_t place) {
  const std::size_t vector = place / kMaskBytes, lane = place % kMaskBytes / 16;
  return lane * 128 + vector * 16 + place % 16;
}

template <typename D, typename V>
HWY_INLINE void interleave(D d, V low, V high, Bits& first, Bits& second) {
  first = hn::BitCast(BitsTag(), hn::InterleaveLower(d, low, high));
  second = hn::BitCast(BitsTag(), hn::InterleaveUpper(d, low, high));
}

/// Stage 5. Eight planes to kRows bytes.
HWY_INLINE void to_codes(const Bits* decided, std::uint8_t* codes) {
  const hn::ScalableTag<std::uint8_t> d8;
  const hn::ScalableTag<std::uint16_t> d16;
  const hn::ScalableTag<std::uint32_t> d32;
#if HWY_TARGET <= HWY_AVX3_DL
  constexpr int flip = 7;
#else
  constexpr int flip = 0;
#endif
  Bits pair[2][4], four[4][2], all[8];
  for (int p = 0; p < 4; ++p) {
    interleave(d8, hn::BitCast(d8, decided[(2 * p) ^ flip]),
               hn::BitCast(d8, decided[(2 * p + 1) ^ flip]), pair[0][p], pair[1][p]);
  }
  for (int v = 0; v < 2; ++v) {
    for (int p = 0; p < 2; ++p) {
      interleave(d16, hn::BitCast(d16, pair[v][2 * p]), hn::BitCast(d16, pair[v][2 * p + 1]),
                 four[2 * v][p], four[2 * v + 1][p]);
    }
  }
  for (int v = 0; v < 4; ++v) {
    interleave(d32, hn::BitCast(d32, four[v][0]), hn::BitCast(d32, four[v][1]), all[2 * v],
               all[2 * v + 1]);
  }
  for (std::size_t v = 0; v < 8; ++v) {
    store_mask(transpose_bits(all[v]), codes + v * kMaskBytes);
  }
}

template <int kWidth>
HWY_NOINLINE void codes_of_width(const std::uint8_t* masks, const std::uint32_t* offsets,
                                 std::uint8_t* codes) {
  Bits decided[bit_width_max];
  select_levels<0, kWidth>(masks, offsets, decided);
  for (int k = kWidth; k < bit_width_max; ++k) decided[k] = hn::Zero(BitsTag());
  to_codes(decided, codes);
}

/// Two of three, bit by bit.
HWY_INLINE Bits majority(Bits a, Bits b, Bits c) {
#if HWY_TARGET <= HWY_AVX3
  return Bits{_mm512_ternarylogic_epi64(a.raw, b.raw, c.raw, 0xE8)};
#else
  return hn::Or(hn::And(a, b), hn::And(c, hn::Or(a, b)));
#endif
}

/// Masks of positions that hold a whole path of nodes (bit_tree.hpp).
HWY_INLINE void run_chain(const BitForest& forest, const BitTree& tree, std::uint8_t* masks) {
  const hn::ScalableTag<std::uint32_t> d32;
  Bits value = hn::Zero(BitsTag());
  for (std::uint32_t s = tree.chain_begin; s < tree.chain_end; ++s) {
    const BitChainStep& step = forest.chain[s];
    const Bits mask = load_mask(masks + std::size_t{step.mask} * kMaskBytes);
    const Bits kept = hn::And(value, hn::BitCast(BitsTag(), hn::Set(d32, step.keep)));
    value = majority(mask, kept, hn::BitCast(BitsTag(), hn::Set(d32, step.either)));
    store_mask(value, masks + std::size_t{step.target} * kMaskBytes);
  }
}

/// Stages 4 and 5 for a perfect tree of `width` levels.
inline void codes_of(std::uint32_t width, const std::uint8_t* masks, const std::uint32_t* offsets,
                     std::uint8_t* codes) {
  switch (width) {
    case 0:
      return codes_of_width<0>(masks, offsets, codes);
    case 1:
      return codes_of_width<1>(masks, offsets, codes);
    case 2:
      return codes_of_width<2>(masks, offsets, codes);
    case 3:
      return codes_of_width<3>(masks, offsets, codes);
    case 4:
      return codes_of_width<4>(masks, offsets, codes);
    case 5:
      return codes_of_width<5>(masks, offsets, codes);
    case 6:
      return codes_of_width<6>(masks, offsets, codes);
    case 7:
      return codes_of_width<7>(masks, offsets, codes);
    default:
      return codes_of_width<8>(masks, offsets, codes);
  }
}

/// Leaf codes of one tree, in places.
inline void tree_codes(const BitBlock& block, const BitTree& tree, std::uint8_t* codes) {
  std::uint8_t* masks = block.scratch.masks.get();
  if (tree.chain_begin != tree.chain_end) run_chain(block.forest, tree, masks);
  codes_of(tree.width, masks, block.offsets.data() + tree.position_begin, codes);
}

inline double* sums_of(const BitBlock& block, double) {
  return block.scratch.sums.get();
}
inline float* sums_of(const BitBlock& block, float) {
  return block.scratch.sums32.get();
}

/// A tree of more than 256 leaves: its rows walk. `visit(row of the block, place, leaf)`.
template <typename Visit>
inline void walk_block(const BitBlock& block, std::int32_t tree, Visit&& visit) {
  for (std::size_t first = 0; first < kRows; first += walks_in_flight) {
    const float* row[walks_in_flight];
    std::int32_t node[walks_in_flight];
    std::size_t place[walks_in_flight];
    int count = 0;
    for (std::size_t p = first; p < first + walks_in_flight; ++p) {
      if (row_of_place(p) >= block.rows.rows) continue;
      row[count] = block.rows.row(row_of_place(p));
      node[count] = block.image.trees[tree].root;
      place[count++] = p;
    }
    walk_together(block.image, node, row, count);
    for (int k = 0; k < count; ++k) visit(row_of_place(place[k]), place[k], ~node[k]);
  }
}

template <typename Number>
struct AddWalked {
  const double* values;
  Number* sums;
  void operator()(std::size_t, std::size_t place, std::int32_t leaf) const {
    sums[slot_of_place<Number>(place)] += static_cast<Number>(values[leaf]);
  }
};

struct WriteWalked {
  std::int32_t* leaves;
  std::size_t trees;
  void operator()(std::size_t row, std::size_t, std::int32_t leaf) const {
    leaves[row * trees] = leaf;
  }
};

/// Adds trees [first, first + count), all of one output and none walked.
template <typename Number>
inline void add_trees(const BitBlock& block, std::size_t first, std::size_t count) {
  Number* const sums = sums_of(block, Number());
  std::uint8_t* codes = block.scratch.codes.get();
  LeafTable tables[trees_at_once];
  for (std::size_t t = 0; t < count; ++t) {
    const BitTree& tree = block.forest.trees[first + t];
    tables[t] = leaf_table_of(block.forest, tree);
    tree_codes(block, tree, codes + t * kRows);
  }
  switch (count) {
    case 1:
      return add_leaves<1>(tables, codes, sums);
    case 2:
      return add_leaves<2>(tables, codes, sums);
    case 3:
      return add_leaves<3>(tables, codes, sums);
    default:
      return add_leaves<4>(tables, codes, sums);
  }
}

template <typename Number>
inline void add_scores(const BitBlock& block) {
  const std::vector<BitTree>& trees = block.forest.trees;
  Number* const sums = sums_of(block, Number());
  const std::size_t outputs = static_cast<std::size_t>(block.forest.outputs);
  std::size_t at = 0;
  for (std::size_t output = 0; output < outputs; ++output) {
    std::fill_n(sums, kRows, static_cast<Number>(block.forest.base[output]));
    while (at < trees.size() && static_cast<std::size_t>(trees[at].output) == output) {
      if (trees[at].walked) {
        const ForestImageTree& tree = block.image.trees[trees[at].tree];
        walk_block(block, trees[at].tree,
                   AddWalked<Number>{block.image.leaf_values + tree.leaf_begin, sums});
        ++at;
        continue;
      }
      std::size_t count = 1;
      while (count < trees_at_once && at + count < trees.size() && !trees[at + count].walked &&
             static_cast<std::size_t>(trees[at + count].output) == output) {
        ++count;
      }
      add_trees<Number>(block, at, count);
      at += count;
    }
    for (std::size_t place = 0; place < kRows; ++place) {
      const std::size_t row = row_of_place(place);
      if (row < block.rows.rows) {
        block.scores[row * outputs + output] =
            static_cast<double>(sums[slot_of_place<Number>(place)]);
      }
    }
  }
}

inline void write_leaves(const BitBlock& block) {
  const std::size_t trees = block.forest.trees.size();
  std::uint8_t* codes = block.scratch.codes.get();
  for (const BitTree& tree : block.forest.trees) {
    std::int32_t* out = block.leaves + tree.tree;
    if (tree.walked) {
      walk_block(block, tree.tree, WriteWalked{out, trees});
      continue;
    }
    tree_codes(block, tree, codes);
    const std::uint16_t* numbers = block.forest.leaf_numbers.data() + tree.leaf_begin;
    for (std::size_t place = 0; place < kRows; ++place) {
      const std::size_t row = row_of_place(place);
      if (row < block.rows.rows) out[row * trees] = numbers[codes[place]];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tidemark
HWY_AFTER_NAMESPACE();

#endif
