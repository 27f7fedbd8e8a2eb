// Training rows: the features of every verdict in verdict order, straight from the matrix that was
// scored, so that training sees what serving saw (promise P4). As CSV, or as .npy with the keys of
// the rows in a CSV beside it. A manifest names columns, spec and sample. One thread uses it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "features/plan.hpp"
#include "kernels/data/event_batch.hpp"
#include "kernels/data/feature_matrix.hpp"
#include "stream/pipeline/file_sink.hpp"

namespace tidemark {

/// Keeps `keep` of `of` merchants, each with all its rows: those whose hash modulo `of` is below.
struct RowsSample {
  std::uint64_t keep = 1, of = 1;
  bool takes(std::uint64_t merchant_hash) const { return merchant_hash % of < keep; }
};

class RowsWriter {
 public:
  /// The ending of `file` says the format. Throws UsageError for an ending that is neither .csv nor
  /// .npy.
  RowsWriter(const std::filesystem::path& file, const FeaturePlan& plan, RowsSample sample);
  void write(const EventBatch& events, std::span<const std::uint32_t> matrix_row,
             const FeatureMatrix& matrix);
  /// Writes `<file>.manifest.json` last: a manifest means that the rows are complete.
  void close(const std::string& release);

 private:
  void add_matrix_row(std::span<const float> values);

  const FeaturePlan& plan_;
  RowsSample sample_;
  bool is_npy_;
  OutputFile keys_;    // CSV: of whole rows, or of keys alone
  OutputFile matrix_;  // .npy: the features
  std::string lines_, values_;
  std::uint64_t rows_ = 0;
};

}  // namespace tidemark
