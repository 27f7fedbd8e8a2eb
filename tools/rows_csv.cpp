// See rows_csv.hpp.
#include "tools/rows_csv.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include "kernels/base/failure.hpp"
#include "kernels/base/read_file.hpp"
#include "models/model_document.hpp"
#include "stream/parse/time.hpp"
#include "stream/source/byte_stream.hpp"

namespace tidemark {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 20;
constexpr std::size_t manifest_bytes_max = std::size_t{16} << 20;

}  // namespace

/// The file's bytes one by one, and the hash of those that were read.
struct RowsCsv::Bytes {
  explicit Bytes(const std::string& file) : stream(ByteStream::open(file)), chunk(chunk_bytes) {
    EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  }

  /// -1 at the end.
  int peek() {
    if (at == end) {
      at = 0;
      end = stream->read(chunk.data(), chunk.size());
      EVP_DigestUpdate(hash.get(), chunk.data(), end);
    }
    return at == end ? -1 : static_cast<unsigned char>(chunk[at]);
  }
  int take() {
    const int byte = peek();
    if (byte >= 0) ++at;
    return byte;
  }
  std::string sha256() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int count = 0;
    EVP_DigestFinal_ex(hash.get(), digest, &count);
    std::string hex;
    for (unsigned int i = 0; i < count; ++i) hex += fmt::format("{:02x}", digest[i]);
    return hex;
  }

  std::unique_ptr<ByteStream> stream;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  std::vector<char> chunk;
  std::size_t at = 0, end = 0;
};

RowsCsv::RowsCsv(const std::string& file, const std::string& spec) : file_(file) {
  const std::string name = file + ".manifest.json";
  if (std::error_code error; !std::filesystem::is_regular_file(name, error)) {
    throw UsageError(name + ": there is no such manifest; `tidemark replay --rows` writes it last");
  }
  const DocumentValue document = parse_json(read_file(name, manifest_bytes_max), name);
  const DocumentPlace manifest(document, name);
  if (manifest.at("spec").text() != spec) {
    manifest.fail("the rows are of spec " + manifest.at("spec").text() +
                  ", the configured one is " + spec);
  }
  sha256_ = manifest.at("sha256").text();
  bytes_ = std::make_unique<Bytes>(file);
  if (!read_record() || fields_.size() < 3 || fields_[0] != "event_id" ||
      fields_[1] != "event_time" || fields_[2] != "merchant_id") {
    fail("expected the header event_id,event_time,merchant_id and features: rows as CSV");
  }
  features_.assign(fields_.begin() + 3, fields_.end());
}

RowsCsv::~RowsCsv() = default;

/// One record of RFC 4180 into `fields_`.
bool RowsCsv::read_record() {
  line_ = next_line_;
  if (bytes_->peek() < 0) return false;
  std::size_t field = 0;
  const auto begin_field = [&] {
    if (field == fields_.size()) fields_.emplace_back();
    fields_[field++].clear();
  };
  begin_field();
  bool quoted = false;
  for (int byte = bytes_->take(); byte >= 0; byte = bytes_->take()) {
    if (byte == '\n') ++next_line_;
    if (byte == '"') {
      if (!quoted || bytes_->peek() != '"') {
        quoted = !quoted;
        continue;
      }
      bytes_->take();
    } else if (!quoted && byte == ',') {
      begin_field();
      continue;
    } else if (!quoted && byte == '\n') {
      fields_.resize(field);
      return true;
    }
    fields_[field - 1] += static_cast<char>(byte);
  }
  fail("the last line is cut");
}

bool RowsCsv::next() {
  if (!read_record()) {
    if (bytes_->sha256() != sha256_) {
      throw UsageError(file_ + ": is not the file that its manifest tells of");
    }
    return false;
  }
  if (fields_.size() != features_.size() + 3) {
    fail(fmt::format("{} fields, the header has {}", fields_.size(), features_.size() + 3));
  }
  if (!parse_rfc3339(fields_[1], event_time_ms_)) fail("event_time: is no RFC 3339 time");
  return true;
}

float RowsCsv::value(std::size_t feature) const {
  const std::string& text = fields_[feature + 3];
  if (text.empty()) return std::numeric_limits<float>::quiet_NaN();
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail(features_[feature] + ": is no number");
  }
  return value;
}

void RowsCsv::fail(const std::string& what) const {
  throw UsageError(fmt::format("{}:{}: {}", file_, line_, what));
}

}  // namespace tidemark
