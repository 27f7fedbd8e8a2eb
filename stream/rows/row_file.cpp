// CSV and .npy; Parquet has a file of its own, since its library is seen nowhere else.
#include "stream/rows/row_file.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>

#include "kernels/base/failure.hpp"
#include "kernels/base/output_file.hpp"
#include "stream/encode/json_writer.hpp"

namespace tidemark {
namespace {

constexpr std::size_t buffer_bytes = 1U << 16;

void append_csv_text(std::string& line, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    line += text;
    return;
  }
  line += '"';
  for (const char c : text) {
    if (c == '"') line += '"';
    line += c;
  }
  line += '"';
}

void append_time(std::string& line, std::int64_t epoch_ms) {
  char text[number_bytes_max];
  JsonWriter pen(text);
  pen.time(epoch_ms);
  line.append(text, pen.at());
}

void append_numbers(std::string& line, std::span<const float> values) {
  for (const float value : values) {
    line += ',';
    if (std::isnan(value)) continue;  // an empty field
    char text[32];
    line.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  }
}

class CsvRows : public RowFile {
 public:
  CsvRows(const std::filesystem::path& path, const std::vector<std::string>& features,
          const std::vector<std::string>& labels)
      : file_(path), lines_("event_id,event_time,merchant_id") {
    for (const auto* names : {&features, &labels}) {
      for (const std::string& name : *names) lines_ += "," + name;
    }
    lines_ += '\n';
  }

  void add(const RowKey& key, std::span<const float> features,
           std::span<const float> labels) override {
    append_csv_text(lines_, key.event_id);
    lines_ += ',';
    append_time(lines_, key.event_time_ms);
    lines_ += ',';
    append_csv_text(lines_, key.merchant_id);
    append_numbers(lines_, features);
    append_numbers(lines_, labels);
    lines_ += '\n';
    if (lines_.size() >= buffer_bytes) flush();
  }

  std::vector<std::pair<std::string, std::filesystem::path>> finish() override {
    flush();
    file_.close();
    return {{"sha256", file_.path()}};
  }

 private:
  void flush() {
    file_.write(lines_);
    lines_.clear();
  }

  OutputFile file_;
  std::string lines_;
};

// The header of .npy, as long for no rows as for the most, so that it is put right at the end.
std::string npy_header(std::uint64_t rows, std::size_t columns) {
  std::string text =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  text.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + text + '\n';
}

class NpyRows : public RowFile {
 public:
  NpyRows(const std::filesystem::path& path, const RowColumns& columns)
      : columns_(columns.features.size()),
        file_(path),
        keys_(path.string() + ".keys.csv", {}, columns.labels) {
    file_.write(npy_header(0, columns_));
  }

  void add(const RowKey& key, std::span<const float> features,
           std::span<const float> labels) override {
    file_.write({reinterpret_cast<const char*>(features.data()), features.size_bytes()});
    keys_.add(key, {}, labels);
    ++rows_;
  }

  std::vector<std::pair<std::string, std::filesystem::path>> finish() override {
    file_.close();
    std::fstream again(file_.path(), std::ios::binary | std::ios::in | std::ios::out);
    again << npy_header(rows_, columns_);
    again.flush();
    if (!again) throw RunError(file_.path().string() + ": cannot be written");
    return {{"sha256", file_.path()}, {"keys_sha256", keys_.finish().front().second}};
  }

 private:
  std::size_t columns_;
  std::uint64_t rows_ = 0;
  OutputFile file_;
  CsvRows keys_;
};

}  // namespace

std::unique_ptr<RowFile> make_row_file(const std::filesystem::path& path,
                                       const RowColumns& columns) {
  const auto ending = path.extension();
  if (ending == ".csv") return std::make_unique<CsvRows>(path, columns.features, columns.labels);
  if (ending == ".npy") return std::make_unique<NpyRows>(path, columns);
  if (ending == ".parquet") return make_parquet_rows(path, columns);
  throw UsageError(path.string() + ": rows are written as .csv, .npy or .parquet");
}

}  // namespace tidemark
