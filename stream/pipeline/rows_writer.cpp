// See rows_writer.hpp.
#include "stream/pipeline/rows_writer.hpp"

#include <charconv>
#include <cmath>

#include "stream/encode/json_writer.hpp"

namespace tidemark {
namespace {

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

void append_number(std::string& line, float value) {
  if (std::isnan(value)) return;  // an empty field
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  line.append(text, end);
}

}  // namespace

RowsWriter::RowsWriter(const std::filesystem::path& csv, const FeaturePlan& plan)
    : plan_(plan), csv_(csv) {
  std::string header = "event_id,event_time,merchant_id";
  for (const std::string& name : plan.names()) header += "," + name;
  csv_.write(header + "\n");
}

void RowsWriter::write(const EventBatch& events, std::span<const std::uint32_t> matrix_row,
                       const FeatureMatrix& matrix) {
  lines_.clear();
  for (std::size_t row = 0; row < events.rows(); ++row) {
    if (matrix_row[row] == UINT32_MAX) continue;
    append_csv_text(lines_, events.event_id[row]);
    lines_ += ',';
    append_time(lines_, events.event_time_ms[row]);
    lines_ += ',';
    append_csv_text(lines_, events.merchant_id[row]);
    for (const float value : matrix.row(matrix_row[row])) {
      lines_ += ',';
      append_number(lines_, value);
    }
    lines_ += '\n';
    ++rows_;
  }
  csv_.write(lines_);
}

void RowsWriter::close() {
  csv_.close();
  OutputFile manifest(csv_.path().string() + ".manifest.json");
  std::string json = "{\"rows\":" + std::to_string(rows_) + ",\"spec\":\"" + plan_.fingerprint() +
                     "\",\"order\":\"verdict\",\"features\":[";
  for (const std::string& name : plan_.names()) {
    if (json.back() != '[') json += ',';
    json += "\"" + name + "\"";
  }
  manifest.write(json + "]}\n");
  manifest.close();
}

}  // namespace tidemark
