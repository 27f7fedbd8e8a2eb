// See row_spool.hpp.
#include "stream/rows/row_spool.hpp"

#include <fstream>
#include <system_error>
#include <type_traits>
#include <vector>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

struct Header {
  LabelledRow row;
  std::uint32_t event_id_bytes, merchant_id_bytes;
};
static_assert(std::is_trivially_copyable_v<Header>);

}  // namespace

RowSpool::RowSpool(const std::filesystem::path& path, std::size_t features)
    : file_(path), features_(features) {}

RowSpool::~RowSpool() {
  std::error_code ignored;
  std::filesystem::remove(file_.path(), ignored);
}

void RowSpool::add(const RowKey& key, const LabelledRow& row, std::span<const float> features) {
  const Header header{row, static_cast<std::uint32_t>(key.event_id.size()),
                      static_cast<std::uint32_t>(key.merchant_id.size())};
  file_.write({reinterpret_cast<const char*>(&header), sizeof header});
  file_.write(key.event_id);
  file_.write(key.merchant_id);
  file_.write({reinterpret_cast<const char*>(features.data()), features.size_bytes()});
  ++rows_;
}

void RowSpool::read_back(
    const std::function<void(const RowKey&, const LabelledRow&, std::span<const float>)>& take) {
  file_.close();
  std::ifstream file(file_.path(), std::ios::binary);
  Header header;
  std::string event_id, merchant_id;
  std::vector<float> features(features_);
  const auto read = [&file](void* at, std::size_t bytes) {
    file.read(static_cast<char*>(at), static_cast<std::streamsize>(bytes));
  };
  for (std::uint64_t i = 0; i < rows_; ++i) {
    read(&header, sizeof header);
    if (!file) break;
    event_id.resize(header.event_id_bytes);
    merchant_id.resize(header.merchant_id_bytes);
    read(event_id.data(), event_id.size());
    read(merchant_id.data(), merchant_id.size());
    read(features.data(), features.size() * sizeof(float));
    if (!file) break;
    take({event_id, merchant_id, header.row.event_time_ms}, header.row, features);
  }
  if (!file) throw RunError(file_.path().string() + ": cannot be read back");
}

}  // namespace tidemark
