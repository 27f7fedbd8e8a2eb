// The rows that `tidemark replay --rows` wrote as CSV, with the manifest beside them: read once,
// front to back, in bounded memory. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tidemark {

class RowsCsv {
 public:
  /// Reads the manifest and the header. Throws UsageError where there is no manifest (the rows are
  /// not complete), it is of another spec than `spec`, or the file is none of rows.
  RowsCsv(const std::string& file, const std::string& spec);
  ~RowsCsv();

  /// Names of the features, by column behind the three keys.
  const std::vector<std::string>& features() const { return features_; }
  /// The next row; false at the end. Throws UsageError naming file and line for one that is cut,
  /// and at the end where the bytes are not those that the manifest tells of.
  bool next();
  const std::string& merchant_id() const { return fields_[2]; }
  std::int64_t event_time_ms() const { return event_time_ms_; }
  /// Of a feature; NaN where the field is empty. Throws UsageError.
  float value(std::size_t feature) const;

 private:
  struct Bytes;
  bool read_record();
  [[noreturn]] void fail(const std::string& what) const;

  std::string file_;
  std::unique_ptr<Bytes> bytes_;
  std::vector<std::string> features_, fields_;
  std::string sha256_;
  std::int64_t event_time_ms_ = 0;
  std::size_t line_ = 0, next_line_ = 1;  // where the record begins, and the one behind it
};

}  // namespace tidemark
