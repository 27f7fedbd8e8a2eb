// Training rows: the features of every verdict in verdict order, straight from the matrix that was
// scored, so that training sees what serving saw (promise P4), with labels where they are asked
// for. A manifest names columns, spec, sample and labels. One thread uses it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "features/plan.hpp"
#include "kernels/data/event_batch.hpp"
#include "kernels/data/feature_matrix.hpp"
#include "stream/rows/labels.hpp"
#include "stream/rows/row_file.hpp"
#include "stream/rows/row_spool.hpp"

namespace tidemark {

/// Keeps `keep` of `of` merchants, each with all its rows: those whose hash modulo `of` is below.
struct RowsSample {
  std::uint64_t keep = 1, of = 1;
  bool takes(std::uint64_t merchant_hash) const { return merchant_hash % of < keep; }
};

/// "1/20". Throws UsageError.
RowsSample parse_rows_sample(const std::string& text);

struct RowsOptions {
  std::filesystem::path file;
  RowsSample sample;
  std::vector<LabelRule> labels;
};

class RowsWriter {
 public:
  /// Throws UsageError for an ending of the file that no format has, and for a label twice.
  RowsWriter(const RowsOptions& options, const FeaturePlan& plan);
  void write(const EventBatch& events, std::span<const std::uint32_t> matrix_row,
             const FeatureMatrix& matrix);
  /// Writes `<file>.manifest.json` last: a manifest means that the rows are complete.
  void close(const std::string& release);

 private:
  struct LabelCounts {
    std::uint64_t positive = 0, negative = 0, unknown = 0;
  };
  void label_rows();
  std::filesystem::path manifest() const;

  RowsOptions options_;
  const FeaturePlan& plan_;
  RowColumns columns_;
  std::unique_ptr<RowFile> file_;
  std::unique_ptr<RowSpool> spool_;  // where labels are asked for
  Feedback feedback_;
  std::vector<LabelCounts> counts_;
  std::uint64_t rows_ = 0;
};

}  // namespace tidemark
