// Training rows: the features of every verdict as CSV, in verdict order, straight from the matrix
// that was scored, so that training sees what serving saw (promise P4). A manifest beside it names
// the columns and the spec. One thread uses it.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "features/plan.hpp"
#include "kernels/data/event_batch.hpp"
#include "kernels/data/feature_matrix.hpp"
#include "stream/pipeline/file_sink.hpp"

namespace tidemark {

class RowsWriter {
 public:
  RowsWriter(const std::filesystem::path& csv, const FeaturePlan& plan);
  void write(const EventBatch& events, std::span<const std::uint32_t> matrix_row,
             const FeatureMatrix& matrix);
  /// Writes `<csv>.manifest.json` last: a manifest means that the rows are complete.
  void close();

 private:
  const FeaturePlan& plan_;
  OutputFile csv_;
  std::string lines_;
  std::uint64_t rows_ = 0;
};

}  // namespace tidemark
