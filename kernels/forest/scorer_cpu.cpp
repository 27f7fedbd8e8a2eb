#include "kernels/forest/scorer_cpu.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "kernels/forest/bit_kernel.hpp"
#include "kernels/forest/row_forest.hpp"
#include "kernels/forest/walk.hpp"

namespace tidemark {
namespace {

/// A thread's masks beyond this spill every cache, and offsets into them would not fit 32 bits:
/// such a forest is walked.
constexpr std::size_t mask_bytes_max = std::size_t{64} << 20;

/// Where one call puts its results: scores or leaves.
struct Sink {
  double* scores = nullptr;
  std::int32_t* leaves = nullptr;
};

class CpuScorer final : public ForestScorer {
 public:
  explicit CpuScorer(ForestImage image)
      : image_(std::move(image)),
        kernel_(choose_bit_kernel()),
        bits_(make_bit_forest(image_, kernel_.tables)) {
    if (kernel_.run_lanes != nullptr) lanes_ = make_lane_forest(image_);
    if (lanes_) {
      // Positions in order: the masks of one row stand one after the other.
      for (std::uint32_t p = 0; p < lane_positions_max; ++p) lane_offsets_.push_back(p * 64);
    }
    if (!lanes_) by_rows_ = make_row_forest(image_);
    sliced_ = mask_bytes() <= mask_bytes_max;
    // A block costs the same however few of its rows are live.
    few_rows_max_ = sliced_ ? rows_worth_a_block() : kernel_.block_rows;
    name_ = std::string(sliced_ ? "bit-sliced" : "walking") + ", up to " +
            std::to_string(few_rows_max_) + " rows " +
            (lanes_     ? "with trees in lanes"
             : by_rows_ ? "walking on codes"
                        : "walking");
    if (sliced_ && bits_.walked > 0) {
      name_ += "; " + std::to_string(bits_.walked) + " trees of more than 256 leaves walk";
    }
    if (!sliced_) return;
    for (const std::uint32_t mask : bits_.positions) {
      offsets_.push_back(mask * static_cast<std::uint32_t>(kernel_.block_rows / 8));
    }
  }

  void score(FeatureMatrixView rows, std::span<double> out, ThreadPool& pool) override {
    run(rows, {out.data(), nullptr}, pool);
  }
  void leaves(FeatureMatrixView rows, std::span<std::int32_t> out, ThreadPool& pool) override {
    run(rows, {nullptr, out.data()}, pool);
  }
  std::string_view kernel() const override { return name_; }
  std::string why() const override {
    const double mb = 1e-6 * static_cast<double>(mask_bytes());
    std::string text;
    if (sliced_) {
      text = fmt::format(
          "a block of {} rows shares {} masks of nodes, {:.2f} MB, and costs what {} rows cost by "
          "themselves",
          kernel_.block_rows, bits_.mask_count, mb, few_rows_max_);
    } else {
      text = fmt::format("a block of {} rows would need {:.0f} MB of masks, {} MB at most",
                         kernel_.block_rows, mb, mask_bytes_max >> 20);
    }
    if (lanes_) return text + "; with VBMI one instruction decides one row in 64 trees";
    const char* const vbmi = kernel_.run_lanes == nullptr ? "; there is no VBMI for trees in lanes"
                                                          : "; the trees do not fit into lanes";
    return text + vbmi +
           (by_rows_ ? ", the codes of a row are bytes" : ", nor are their codes bytes");
  }
  std::string_view isa() const override { return kernel_.isa; }
  std::size_t bytes() const override {
    return image_.bytes() + bits_.bytes() + (lanes_ ? lanes_->bytes() : 0) +
           (by_rows_ ? by_rows_->bytes() : 0);
  }

 private:
  /// Of one block, one bit a row.
  std::size_t mask_bytes() const {
    return (std::size_t{bits_.mask_count} + 1) * (kernel_.block_rows / 8);
  }
  /// Rows that cost as much one by one as a block does. In ns, measured on a Zen 5 core: a mask, a
  /// position and a step of a chain of a block, however wide it is; a row by itself, a test of 64
  /// trees and a leaf of it, or a level of a walk; what walks on codes, a step of a search and a
  /// level of a tree, on a Zen 3 core with AVX2, in proportion to the blocks there.
  std::size_t rows_worth_a_block() const {
    const auto positions = static_cast<double>(bits_.positions.size() + bits_.chain.size());
    const double block = 4.4 * bits_.mask_count + 0.52 * positions;
    double row = 0;
    if (lanes_) {
      const auto trees = static_cast<double>(image_.trees.size());
      row = 650 + 0.25 * trees / 64 * static_cast<double>(1u << lanes_->levels) + trees;
    } else if (by_rows_) {
      row = 0.55 * by_rows_->search.steps * static_cast<double>(by_rows_->search.features.size());
      for (const ForestImageTree& tree : image_.trees) {
        row += by_rows_->levels > 0 ? 0.5 * by_rows_->levels : 0.3 * (tree.depth + 1);
      }
    } else {
      for (const ForestImageTree& tree : image_.trees) row += 2.2 * (tree.depth + 1);
    }
    return static_cast<std::size_t>(std::clamp(block / std::max(row, 1.0), 4.0, 128.0));
  }

  void run(FeatureMatrixView rows, Sink sink, ThreadPool& pool) {
    const auto workers = static_cast<std::size_t>(pool.threads());
    if (sliced_ && rows.rows > few_rows_max_) {
      while (scratch_.size() < workers) {
        scratch_.push_back(std::make_unique<BitScratch>(bits_, kernel_.block_rows));
      }
    }
    while (lanes_ && lane_scratch_.size() < workers) {
      lane_scratch_.push_back(std::make_unique<LaneScratch>());
    }
    struct Call {
      CpuScorer& self;
      FeatureMatrixView rows;
      Sink sink;
    } call{*this, rows, sink};
    // One reference is small enough for std::function to hold without allocating.
    pool.parallel_for(rows.rows, kernel_.block_rows,
                      [&call](std::size_t begin, std::size_t end, int worker) {
                        call.self.block(call.rows, begin, end, call.sink, worker);
                      });
  }

  void block(FeatureMatrixView all, std::size_t begin, std::size_t end, Sink sink, int worker) {
    FeatureMatrixView rows = all;
    rows.data = all.row(begin);
    rows.rows = end - begin;
    if (sink.scores != nullptr) sink.scores += begin * static_cast<std::size_t>(image_.outputs);
    if (sink.leaves != nullptr) sink.leaves += begin * image_.trees.size();
    if (rows.rows <= few_rows_max_ && lanes_ && sink.scores != nullptr) {
      kernel_.run_lanes({*lanes_, lane_offsets_, image_.view(), rows, sink.scores,
                         *lane_scratch_[static_cast<std::size_t>(worker)]});
    } else if (rows.rows <= few_rows_max_ && by_rows_ && sink.scores != nullptr) {
      score_by_rows(*by_rows_, image_.view(), rows, sink.scores);
    } else if (rows.rows <= few_rows_max_) {
      walk(rows, sink);
    } else {
      kernel_.run({bits_, offsets_, image_.view(), rows, sink.scores, sink.leaves,
                   *scratch_[static_cast<std::size_t>(worker)]});
    }
  }

  /// Few rows walk with several trees in flight, more with several rows.
  void walk(FeatureMatrixView rows, Sink sink) const {
    const ForestImageView image = image_.view();
    if (sink.scores != nullptr) {
      for (std::size_t r = 0; r < rows.rows; ++r) {
        std::copy_n(image.base, image.outputs,
                    sink.scores + r * static_cast<std::size_t>(image.outputs));
      }
    }
    if (rows.rows < walks_in_flight / 2) {
      for (std::size_t r = 0; r < rows.rows; ++r) walk_row(image, rows.row(r), r, sink);
      return;
    }
    for (std::size_t first = 0; first < rows.rows; first += walks_in_flight) {
      const int count = static_cast<int>(std::min<std::size_t>(walks_in_flight, rows.rows - first));
      const float* row[walks_in_flight];
      for (int k = 0; k < count; ++k) row[k] = rows.row(first + static_cast<std::size_t>(k));
      for (std::int32_t t = 0; t < image.tree_count; ++t) {
        std::int32_t node[walks_in_flight];
        std::fill_n(node, count, image.trees[t].root);
        walk_together(image, node, row, count);
        for (int k = 0; k < count; ++k) {
          put(image, t, ~node[k], first + static_cast<std::size_t>(k), sink);
        }
      }
    }
  }

  static void walk_row(const ForestImageView& image, const float* row, std::size_t r, Sink sink) {
    const float* same[walks_in_flight];
    std::fill_n(same, walks_in_flight, row);
    for (std::int32_t first = 0; first < image.tree_count; first += walks_in_flight) {
      const int count = std::min(walks_in_flight, image.tree_count - first);
      std::int32_t node[walks_in_flight];
      for (int k = 0; k < count; ++k) node[k] = image.trees[first + k].root;
      walk_together(image, node, same, count);
      for (int k = 0; k < count; ++k) put(image, first + k, ~node[k], r, sink);
    }
  }

  static void put(const ForestImageView& image, std::int32_t t, std::int32_t leaf, std::size_t row,
                  Sink sink) {
    const ForestImageTree& tree = image.trees[t];
    if (sink.scores != nullptr) {
      double& sum = sink.scores[row * static_cast<std::size_t>(image.outputs) +
                                static_cast<std::size_t>(tree.output)];
      sum = add_leaf(image.sum, sum, image.leaf_values[tree.leaf_begin + leaf]);
    } else {
      sink.leaves[row * static_cast<std::size_t>(image.tree_count) + static_cast<std::size_t>(t)] =
          leaf;
    }
  }

  ForestImage image_;
  BitKernel kernel_;
  BitForest bits_;
  std::vector<std::uint32_t> offsets_;
  std::vector<std::unique_ptr<BitScratch>> scratch_;
  std::optional<LaneForest> lanes_;
  std::optional<RowForest> by_rows_;  // where there are no lanes
  std::vector<std::uint32_t> lane_offsets_;
  std::vector<std::unique_ptr<LaneScratch>> lane_scratch_;
  std::string name_;
  std::size_t few_rows_max_ = 0;  // that are not worth a block
  bool sliced_ = true;
};

}  // namespace

std::unique_ptr<ForestScorer> make_forest_scorer_cpu(ForestImage image) {
  return std::make_unique<CpuScorer>(std::move(image));
}

}  // namespace tidemark
