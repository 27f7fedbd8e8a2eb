// The columns of a forest as byte codes: which feature and missing rule has which cuts, and what
// each node asks of them. Built at load; the kernels that walk on codes, on the device and on the
// CPU, compile their trees from it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/forest/forest_codes_body.hpp"
#include "kernels/forest/forest_image.hpp"

namespace tidemark {

/// Features that a device block quantises together: their columns are at most `code_chunk_columns`
/// apart, and their cuts fit its shared memory. The next chunk's beginning is this one's end.
struct CodeChunk {
  std::uint32_t feature_begin = 0, column_begin = 0, cut_begin = 0;
};
inline constexpr std::uint32_t code_chunk_columns = 32;
inline constexpr std::uint32_t code_chunk_cuts = 10 * 1024;

/// What a node asks in codes: is the code of `feature` above `rank`?
struct CodeTest {
  std::uint32_t feature = 0, rank = 0;
};

/// False where a node's cut is NaN, which no value passes and no code can say.
bool has_codes(const ForestImage& image);

/// Appends `sorted`, fewer than `size` = 2^steps cuts, as the search tree that cut_turn goes down:
/// the middle of every range before the ranges beside it, padded with +infinity.
void append_search_tree(std::span<const float> sorted, std::size_t size, std::vector<float>& out);

class CodeColumns {
 public:
  /// Keeps a reference to the image. Needs has_codes(image).
  explicit CodeColumns(const ForestImage& image);
  ~CodeColumns();

  CodeTest test_of(std::int32_t node) const;         // of the image
  const std::vector<CodeFeature>& features() const;  // by column
  const std::vector<CodeChunk>& chunks() const;      // and one more, the end
  const std::vector<float>& cuts() const;            // see cut_turn

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

/// The searches of all features with the same number of steps, so that those of one row can run
/// side by side.
struct CodeSearch {
  std::vector<CodeFeature> features;
  std::vector<float> cuts;  // of all features in turn, 2^steps each
  std::uint32_t steps = 0;

  std::size_t bytes() const { return bytes_of(features, cuts); }
};
CodeSearch make_code_search(const CodeColumns& columns);

}  // namespace tidemark
