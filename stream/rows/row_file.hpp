// The formats in which training rows are written. One thread uses a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark {

/// Which verdict a row belongs to.
struct RowKey {
  std::string_view event_id, merchant_id;
  std::int64_t event_time_ms = 0;
};

struct RowColumns {
  std::vector<std::string> features, labels;
};

/// Rows under one fixed set of columns: event_id, event_time, merchant_id, features, labels. NaN is
/// missing.
class RowFile {
 public:
  virtual ~RowFile() = default;
  /// Throws RunError naming the file, as does finish().
  virtual void add(const RowKey& key, std::span<const float> features,
                   std::span<const float> labels) = 0;
  /// After the last row: the files that were written, each with a word for its place in the
  /// manifest.
  virtual std::vector<std::pair<std::string, std::filesystem::path>> finish() = 0;
};

/// The ending of `path` says the format: .csv, .npy (float32 features, with keys and labels in
/// `<path>.keys.csv`) or .parquet. Throws UsageError for another ending.
std::unique_ptr<RowFile> make_row_file(const std::filesystem::path& path,
                                       const RowColumns& columns);
std::unique_ptr<RowFile> make_parquet_rows(const std::filesystem::path& path,
                                           const RowColumns& columns);

}  // namespace tidemark
