// See payer_header.hpp.
#include "stream/pipeline/payer_header.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <cstring>
#include <limits>

#include "stream/encode/headers.hpp"

namespace tidemark {

static_assert(std::endian::native == std::endian::little, "the header is written as it lies");

PayerHeader::PayerHeader(const FeaturePlan& plan, const Config& config) {
  const std::string all = fmt::format("{} {} {} {}", plan.payer_fingerprint(), config.zone,
                                      config.dedup_horizon_ms, config.future_tolerance_ms);
  fingerprint_ = XXH3_64bits(all.data(), all.size());
  const WindowPlanView& payers = plan.payer_windows();
  for (std::uint32_t c = 0; c < payers.column_count; ++c) {
    columns_.push_back(static_cast<std::uint32_t>(payers.columns[c].column));
  }
}

void PayerHeader::write(std::span<const float> row, std::string& out) const {
  out.append(reinterpret_cast<const char*>(&fingerprint_), sizeof fingerprint_);
  for (const std::uint32_t column : columns_) {
    out.append(reinterpret_cast<const char*>(&row[column]), sizeof(float));
  }
}

PayerHeader::Found PayerHeader::read(std::string_view headers, std::span<float> row) const {
  const auto value = find_header(headers, name);
  std::uint64_t fingerprint = 0;
  const bool whole = value && value->size() == sizeof fingerprint + columns_.size() * sizeof(float);
  if (whole) std::memcpy(&fingerprint, value->data(), sizeof fingerprint);
  if (!whole || fingerprint != fingerprint_) {
    for (const std::uint32_t c : columns_) row[c] = std::numeric_limits<float>::quiet_NaN();
    return value ? Found::foreign : Found::none;
  }
  const char* at = value->data() + sizeof fingerprint;
  for (const std::uint32_t column : columns_) {
    std::memcpy(&row[column], at, sizeof(float));
    at += sizeof(float);
  }
  return Found::features;
}

}  // namespace tidemark
