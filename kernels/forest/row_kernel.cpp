// Scores a row by a RowForest: codes, then trees, several in flight, leaves added in the trainer's
// order and arithmetic. No intrinsics; called by the CPU scorer, allocates nothing.
#include <algorithm>
#include <type_traits>

#include "kernels/forest/row_forest.hpp"

namespace tidemark {
namespace {

/// Enough to hide what a step waits for, few enough for the registers of any CPU.
constexpr std::size_t in_flight = 8;

/// Codes of numeric features, several side by side.
template <std::size_t kCount>
void search_codes(const CodeSearch& search, const float* row, std::size_t first,
                  std::uint8_t* codes) {
  const float* cuts[kCount];
  float key[kCount];
  std::uint32_t at[kCount];
  for (std::size_t k = 0; k < kCount; ++k) {
    const CodeFeature& feature = search.features[first + k];
    const float value = row[feature.column];
    cuts[k] = search.cuts.data() + (feature.categorical ? 0 : feature.begin);
    key[k] = value == value ? value : 0.0f;
    at[k] = 1;
  }
  for (std::uint32_t step = 0; step < search.steps; ++step) {
    for (std::size_t k = 0; k < kCount; ++k) at[k] = cut_turn(cuts[k], at[k], key[k]);
  }
  for (std::size_t k = 0; k < kCount; ++k) {
    codes[first + k] = static_cast<std::uint8_t>(at[k] - (1u << search.steps));
  }
}

/// See find_codes for the meaning.
void code_row(const CodeSearch& search, const ForestImageView& image, const float* row,
              std::uint8_t* codes) {
  const std::size_t count = search.features.size();
  std::size_t first = 0;
  if (search.steps > 0) {
    for (; first + in_flight <= count; first += in_flight) {
      search_codes<in_flight>(search, row, first, codes);
    }
    for (; first < count; ++first) search_codes<1>(search, row, first, codes);
  }
  for (std::size_t f = 0; f < count; ++f) {
    const CodeFeature& feature = search.features[f];
    const float value = row[feature.column];
    const bool zero = feature.zero_missing && value >= -zero_edge && value <= zero_edge;
    if (feature.categorical) {
      const CategorySet set = image.category_sets[feature.begin];
      codes[f] = in_category_set(value, set, image.category_words) ? 0 : 1;
    } else if ((zero || value != value) && feature.missing != MissingCode::as_zero) {
      codes[f] =
          feature.missing == MissingCode::left ? 0 : static_cast<std::uint8_t>(code_missing_right);
    }
  }
}

template <typename Number>
const Number* values_of(const RowForest& forest) {
  if constexpr (std::is_same_v<Number, double>) {
    return forest.values.data();
  } else {
    return forest.values32.data();
  }
}

/// What is in flight: trees of one row, or rows in one tree.
enum class Flight { trees, rows };

/// Adds leaves in tree order. A leaf is fetched when it is found and added a flight later, for by
/// then it has come out of whatever cache it was in.
template <Flight kFlight, typename Number>
class Sums {
 public:
  /// `out`: of one row, or of in_flight rows, one after the other.
  Sums(const RowForest& forest, double* out, std::size_t outputs)
      : forest_(forest), values_(values_of<Number>(forest)), out_(out), outputs_(outputs) {
    for (std::size_t k = 0; k < rows; ++k) one_[k] = static_cast<Number>(out[k * outputs]);
  }
  Sums(const Sums&) = delete;
  Sums& operator=(const Sums&) = delete;

  /// Leaves of the next flight, by the place of their values.
  template <std::size_t kCount>
  void add(const std::size_t (&found)[kCount]) {
    for (std::size_t k = 0; k < kCount; ++k) __builtin_prefetch(values_ + found[k]);
    add_waiting();
    std::copy_n(found, kCount, waiting_);
    waiting_count_ = kCount;
  }

  void finish() {
    add_waiting();
    if (outputs_ > 1) return;
    for (std::size_t k = 0; k < rows; ++k) out_[k] = static_cast<double>(one_[k]);
  }

 private:
  static constexpr std::size_t rows = kFlight == Flight::rows ? in_flight : 1;

  void add_waiting() {
    for (std::size_t k = 0; k < waiting_count_; ++k) {
      const std::size_t row = kFlight == Flight::rows ? k : 0;
      const std::size_t tree = tree_ + (kFlight == Flight::rows ? 0 : k);
      const Number value = values_[waiting_[k]];
      if (outputs_ == 1) {
        one_[row] += value;
      } else {
        double& sum = out_[row * outputs_ + static_cast<std::size_t>(forest_.output_of[tree])];
        sum = static_cast<double>(static_cast<Number>(sum) + value);
      }
    }
    if (waiting_count_ > 0) tree_ += kFlight == Flight::rows ? 1 : waiting_count_;
    waiting_count_ = 0;
  }

  const RowForest& forest_;
  const Number* const values_;
  double* const out_;
  const std::size_t outputs_;
  Number one_[rows];      // the sums, where a row has one
  std::size_t tree_ = 0;  // the first that waits
  std::size_t waiting_[in_flight] = {}, waiting_count_ = 0;
};

/// Tree and codes of the k-th that is in flight.
template <Flight kFlight>
std::size_t tree_of(std::size_t first, std::size_t k) {
  return kFlight == Flight::trees ? first + k : first;
}
template <Flight kFlight>
const std::uint8_t* codes_of(const std::uint8_t* codes, std::size_t k) {
  return kFlight == Flight::rows ? codes + k * row_features_max : codes;
}

/// Trees of `kLevels` perfect levels.
template <std::uint32_t kLevels>
struct Perfect {
  template <Flight kFlight, std::size_t kCount>
  static void walk(const RowForest& forest, std::size_t first, const std::uint8_t* codes,
                   std::size_t (&found)[kCount]) {
    const PerfectNode* const nodes = forest.perfect.data() + (first << kLevels);
    std::size_t at[kCount];
    std::fill_n(at, kCount, 1);
    for (std::uint32_t level = 0; level < kLevels; ++level) {
      for (std::size_t k = 0; k < kCount; ++k) {
        const PerfectNode node = nodes[(tree_of<kFlight>(0, k) << kLevels) + at[k]];
        const std::uint8_t code = codes_of<kFlight>(codes, k)[node & 255];
        at[k] = 2 * at[k] + (code > node >> 8 ? 1 : 0);
      }
    }
    // Paths end at [2^kLevels, 2 * 2^kLevels).
    for (std::size_t k = 0; k < kCount; ++k) {
      found[k] = at[k] + ((tree_of<kFlight>(first, k) - 1) << kLevels);
    }
  }
};

struct Linked {
  template <Flight kFlight, std::size_t kCount>
  static void walk(const RowForest& forest, std::size_t first, const std::uint8_t* codes,
                   std::size_t (&found)[kCount]) {
    constexpr int steps_unchecked = 4;
    const LinkedTree* const trees = forest.trees.data();
    const LinkedNode* const nodes = forest.linked.data();
    std::uint32_t at[kCount];
    for (std::size_t k = 0; k < kCount; ++k) at[k] = trees[tree_of<kFlight>(first, k)].root;
    std::uint32_t moved = 0;
    do {
      for (int step = 0; step < steps_unchecked; ++step) {
        moved = 0;
        for (std::size_t k = 0; k < kCount; ++k) {
          const LinkedNode node = nodes[at[k]];
          const std::uint8_t code = codes_of<kFlight>(codes, k)[node.feature];
          const std::uint32_t by = node.left + (code > node.rank ? 1u : 0u);
          at[k] += by;
          moved |= by;
        }
      }
    } while (moved != 0);
    for (std::size_t k = 0; k < kCount; ++k) {
      found[k] = at[k] + trees[tree_of<kFlight>(first, k)].value_bias;
    }
  }
};

/// One row, or in_flight rows, through all trees.
template <Flight kFlight, typename Trees, typename Number>
void add_all(const RowForest& forest, const std::uint8_t* codes, double* out, std::size_t outputs) {
  const std::size_t trees = forest.output_of.size();
  Sums<kFlight, Number> sums(forest, out, outputs);
  std::size_t t = 0;
  std::size_t found[in_flight];
  constexpr std::size_t at_once = kFlight == Flight::trees ? in_flight : 1;
  for (; t + at_once <= trees; t += at_once) {
    Trees::template walk<kFlight>(forest, t, codes, found);
    sums.add(found);
  }
  for (std::size_t last[1]; t < trees; ++t) {
    Trees::template walk<Flight::trees>(forest, t, codes, last);
    sums.add(last);
  }
  sums.finish();
}

template <Flight kFlight, typename Number>
void add_by_shape(const RowForest& forest, const std::uint8_t* codes, double* out,
                  std::size_t outputs) {
  switch (forest.levels) {
    case 0:
      return add_all<kFlight, Linked, Number>(forest, codes, out, outputs);
    case 1:
      return add_all<kFlight, Perfect<1>, Number>(forest, codes, out, outputs);
    case 2:
      return add_all<kFlight, Perfect<2>, Number>(forest, codes, out, outputs);
    case 3:
      return add_all<kFlight, Perfect<3>, Number>(forest, codes, out, outputs);
    case 4:
      return add_all<kFlight, Perfect<4>, Number>(forest, codes, out, outputs);
    case 5:
      return add_all<kFlight, Perfect<5>, Number>(forest, codes, out, outputs);
    case 6:
      return add_all<kFlight, Perfect<6>, Number>(forest, codes, out, outputs);
    case 7:
      return add_all<kFlight, Perfect<7>, Number>(forest, codes, out, outputs);
    default:
      return add_all<kFlight, Perfect<8>, Number>(forest, codes, out, outputs);
  }
}

template <Flight kFlight>
void add_rows(const RowForest& forest, const ForestImageView& image, const std::uint8_t* codes,
              double* out) {
  const auto outputs = static_cast<std::size_t>(image.outputs);
  if (image.sum == SumKind::float64)
    return add_by_shape<kFlight, double>(forest, codes, out, outputs);
  add_by_shape<kFlight, float>(forest, codes, out, outputs);
}

}  // namespace

void score_by_rows(const RowForest& forest, const ForestImageView& image, FeatureMatrixView rows,
                   double* out) {
  std::uint8_t codes[in_flight * row_features_max];
  const auto outputs = static_cast<std::size_t>(image.outputs);
  for (std::size_t row = 0; row < rows.rows;) {
    const bool many = row + in_flight <= rows.rows;
    const std::size_t count = many ? in_flight : 1;
    double* const sums = out + row * outputs;
    for (std::size_t k = 0; k < count; ++k) {
      code_row(forest.search, image, rows.row(row + k), codes + k * row_features_max);
      std::copy_n(image.base, outputs, sums + k * outputs);
    }
    if (many) {
      add_rows<Flight::rows>(forest, image, codes, sums);
    } else {
      add_rows<Flight::trees>(forest, image, codes, sums);
    }
    row += count;
  }
}

}  // namespace tidemark
