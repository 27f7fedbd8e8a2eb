// See rows_writer.hpp.
#include "stream/pipeline/rows_writer.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <memory>
#include <vector>

#include "kernels/base/failure.hpp"
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

// The header of .npy, as long for no rows as for the most, so that it is put right at the end.
std::string npy_header(std::uint64_t rows, std::size_t columns) {
  std::string text =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  text.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + text + '\n';
}

std::string sha256_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(),
                                                                     &EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  std::vector<char> bytes(std::size_t{1} << 20);
  while (file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())), file.gcount() > 0) {
    EVP_DigestUpdate(hash.get(), bytes.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (!file.eof()) throw RunError(path.string() + ": cannot be read back");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  EVP_DigestFinal_ex(hash.get(), digest, &count);
  std::string hex;
  for (unsigned int i = 0; i < count; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace

RowsWriter::RowsWriter(const std::filesystem::path& file, const FeaturePlan& plan,
                       RowsSample sample)
    : plan_(plan),
      sample_(sample),
      is_npy_(file.extension() == ".npy"),
      keys_(is_npy_ ? file.string() + ".keys.csv" : file.string()) {
  std::string header = "event_id,event_time,merchant_id";
  if (is_npy_) {
    matrix_ = OutputFile(file);
    matrix_.write(npy_header(0, plan.names().size()));
  } else {
    for (const std::string& name : plan.names()) header += "," + name;
  }
  keys_.write(header + "\n");
}

void RowsWriter::add_matrix_row(std::span<const float> values) {
  if (is_npy_) {
    values_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    return;
  }
  for (const float value : values) {
    lines_ += ',';
    append_number(lines_, value);
  }
}

void RowsWriter::write(const EventBatch& events, std::span<const std::uint32_t> matrix_row,
                       const FeatureMatrix& matrix) {
  lines_.clear();
  values_.clear();
  for (std::size_t row = 0; row < events.rows(); ++row) {
    if (matrix_row[row] == UINT32_MAX || !sample_.takes(events.merchant_hash[row])) continue;
    append_csv_text(lines_, events.event_id[row]);
    lines_ += ',';
    append_time(lines_, events.event_time_ms[row]);
    lines_ += ',';
    append_csv_text(lines_, events.merchant_id[row]);
    add_matrix_row(matrix.row(matrix_row[row]));
    lines_ += '\n';
    ++rows_;
  }
  keys_.write(lines_);
  if (is_npy_) matrix_.write(values_);
}

void RowsWriter::close(const std::string& release) {
  keys_.close();
  const std::filesystem::path file = is_npy_ ? matrix_.path() : keys_.path();
  if (is_npy_) {
    matrix_.close();
    std::fstream again(file, std::ios::binary | std::ios::in | std::ios::out);
    again << npy_header(rows_, plan_.names().size());
    again.flush();
    if (!again) throw RunError(file.string() + ": cannot be written");
  }
  // Names, formulas and labels come from a checked spec: no quotes, no control characters.
  std::string names, columns;
  for (const FeatureInfo& info : plan_.table()) {
    const char* comma = names.empty() ? "" : ",";
    names += fmt::format(R"({}"{}")", comma, info.name);
    columns += fmt::format(
        R"({}{{"name":"{}","type":"float32","formula":"{}","window":"{}","label":"{}"}})", comma,
        info.name, info.formula, info.window, info.label);
  }
  std::string hashes = fmt::format(R"("sha256":"{}")", sha256_of(file));
  if (is_npy_) hashes += fmt::format(R"(,"keys_sha256":"{}")", sha256_of(keys_.path()));
  OutputFile manifest(file.string() + ".manifest.json");
  manifest.write(fmt::format(
      R"({{"rows":{},"spec":"{}","release":"{}","order":"verdict","sample":"{}/{}",{},)"
      R"("features":[{}],"columns":[{}]}})"
      "\n",
      rows_, plan_.fingerprint(), release, sample_.keep, sample_.of, hashes, names, columns));
  manifest.close();
}

}  // namespace tidemark
