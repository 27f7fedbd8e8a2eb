// Training rows read back, with the manifest that vouches for them. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "stream/rows/labels.hpp"
#include "stream/rows/row_file.hpp"
#include "stream/rows/rows_writer.hpp"

namespace tidemark {

struct RowsManifest {
  std::uint64_t rows = 0;
  std::string spec, release;
  RowsSample sample;
  RowColumns columns;
  std::vector<LabelRule> labels;
};

/// Reads `<file>.manifest.json`, and checks the hash of every file of rows that it names. Throws
/// UsageError where the manifest is missing or is none, and where the rows are not those it was
/// written for, or not of this spec.
RowsManifest read_rows_manifest(const std::filesystem::path& file, std::string_view spec);

/// A row as the file has it. NaN is missing.
struct StoredRow {
  std::string event_id, merchant_id;
  std::int64_t event_time_ms = 0;
  std::vector<float> features, labels;
};

/// Rows of .csv or .npy, in their order.
class RowReader {
 public:
  /// Throws UsageError for Parquet and for what is no file of rows.
  RowReader(const std::filesystem::path& file, const RowsManifest& manifest);
  /// False behind the last row. Throws UsageError naming file and line.
  bool next(StoredRow& row);
  /// Of the row that was read last, for messages: "rows.csv:17".
  std::string place() const;

 private:
  [[noreturn]] void fail(const std::string& what) const;
  bool read_fields();
  void read_values(std::vector<float>& values, std::size_t first);

  std::filesystem::path keys_path_;
  RowColumns columns_;
  bool features_apart_;
  std::ifstream keys_, features_;
  std::uint64_t line_ = 0;
  std::vector<std::string> fields_;
};

}  // namespace tidemark
