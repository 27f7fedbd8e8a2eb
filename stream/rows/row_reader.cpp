// See row_reader.hpp.
#include "stream/rows/row_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

#include "kernels/base/failure.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/strict_yaml.hpp"
#include "stream/parse/time.hpp"

namespace tidemark {
namespace {

constexpr std::size_t key_fields = 3;
constexpr std::size_t npy_header_bytes = 128;  // of those that we write

void check_hash(YamlMap& manifest, const std::string& key, const std::filesystem::path& file) {
  if (manifest.text(key) != sha256_of_file(file)) {
    throw UsageError(
        fmt::format("{}: is not the file that its manifest tells of ({})", file.string(), key));
  }
}

}  // namespace

RowsManifest read_rows_manifest(const std::filesystem::path& file, std::string_view spec) {
  const std::string path = file.string() + ".manifest.json";
  if (std::error_code error; !std::filesystem::is_regular_file(path, error)) {
    throw UsageError(path + ": there is no such manifest; `tidemark replay --rows` writes it last");
  }
  YamlMap map = YamlMap::load(path);  // JSON is YAML
  RowsManifest manifest;
  manifest.rows =
      static_cast<std::uint64_t>(map.integer("rows", 0, std::numeric_limits<std::int64_t>::max()));
  manifest.spec = map.text("spec");
  if (manifest.spec != spec) {
    map.fail("spec",
             fmt::format("the rows are of spec {}, the configured one is {}", manifest.spec, spec));
  }
  manifest.release = map.text("release");
  if (map.text("order") != "verdict") map.fail("order", "expected verdict");
  manifest.sample = parse_rows_sample(map.text("sample"));
  for (const YAML::Node& name : map.list("features")) {
    manifest.columns.features.push_back(name.Scalar());
  }
  for (const YAML::Node& node : map.list("labels")) {
    YamlMap label(node, map.origin(), "labels");
    manifest.columns.labels.push_back(label.text("name"));
    manifest.labels.push_back(parse_label_rule(label.text("rule")));
  }
  check_hash(map, "sha256", file);
  if (map.has("keys_sha256")) check_hash(map, "keys_sha256", file.string() + ".keys.csv");
  return manifest;
}

RowReader::RowReader(const std::filesystem::path& file, const RowsManifest& manifest)
    : keys_path_(file), columns_(manifest.columns), features_apart_(file.extension() == ".npy") {
  if (file.extension() == ".parquet") {
    throw UsageError(file.string() + ": rows are read back as .csv or .npy");
  }
  if (features_apart_) {
    keys_path_ += ".keys.csv";
    features_.open(file, std::ios::binary);
    features_.seekg(npy_header_bytes);
  }
  keys_.open(keys_path_, std::ios::binary);
  if (!read_fields()) fail("holds no header");
}

bool RowReader::next(StoredRow& row) {
  if (!read_fields()) return false;
  const std::size_t features = features_apart_ ? 0 : columns_.features.size();
  if (fields_.size() != key_fields + features + columns_.labels.size()) {
    fail(fmt::format("{} fields, the manifest says {}", fields_.size(),
                     key_fields + features + columns_.labels.size()));
  }
  row.event_id = fields_[0];
  if (!parse_rfc3339(fields_[1], row.event_time_ms)) fail("event_time: is no RFC 3339 time");
  row.merchant_id = fields_[2];
  row.features.resize(columns_.features.size());
  row.labels.resize(columns_.labels.size());
  read_values(row.labels, key_fields + features);
  if (!features_apart_) {
    read_values(row.features, key_fields);
  } else if (!features_.read(reinterpret_cast<char*>(row.features.data()),
                             static_cast<std::streamsize>(row.features.size() * sizeof(float)))) {
    fail("there are fewer rows of features than of keys");
  }
  return true;
}

std::string RowReader::place() const {
  return fmt::format("{}:{}", keys_path_.string(), line_);
}

void RowReader::fail(const std::string& what) const {
  throw UsageError(place() + ": " + what);
}

/// One record of CSV, whose quoted fields may span lines; `line_` is the one that it begins on.
bool RowReader::read_fields() {
  fields_.assign(1, {});
  ++line_;
  bool quoted = false, any = false;
  for (int c = keys_.get(); c != std::ifstream::traits_type::eof(); c = keys_.get()) {
    any = true;
    const char letter = static_cast<char>(c);
    if (letter == '"') {
      // Inside quotes a doubled one is a quote; it ends one and begins another here.
      if (!quoted && !fields_.back().empty()) fields_.back() += '"';
      quoted = !quoted;
    } else if (quoted) {
      fields_.back() += letter;
    } else if (letter == ',') {
      fields_.emplace_back();
    } else if (letter == '\n') {
      return true;
    } else {
      fields_.back() += letter;
    }
  }
  if (any) fail("the last line is cut");
  return false;
}

void RowReader::read_values(std::vector<float>& values, std::size_t first) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string& text = fields_[first + i];
    if (text.empty()) {
      values[i] = std::numeric_limits<float>::quiet_NaN();
      continue;
    }
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, values[i]);
    if (error != std::errc() || stop != end) fail("'" + text + "' is no number");
  }
}

}  // namespace tidemark
