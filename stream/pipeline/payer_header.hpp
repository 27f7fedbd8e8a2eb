// The payer's features on their way between the stages of `serve`: a Kafka header of the enriched
// payment. Written by the stage that keeps the payers' windows, read by the one that keeps the
// merchants'; one object of each, for one plan and settings. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "features/plan.hpp"
#include "stream/pipeline/config.hpp"

namespace tidemark {

class PayerHeader {
 public:
  static constexpr std::string_view name = "tidemark-payer";

  PayerHeader(const FeaturePlan& plan, const Config& config);

  /// Appends the value: a fingerprint of all that the numbers depend on, then the payer's columns
  /// of `row` (a row of the matrix) in their order, float32; both little-endian.
  void write(std::span<const float> row, std::string& out) const;

  enum class Found : std::uint8_t {
    none,     // there is no such header
    foreign,  // of another spec or of other settings, or no header of ours
    features,
  };
  /// Fills the payer's columns of `row` from a record's packed headers, with NaN where they have
  /// none of this plan.
  Found read(std::string_view headers, std::span<float> row) const;

 private:
  std::uint64_t fingerprint_;
  std::vector<std::uint32_t> columns_;
};

}  // namespace tidemark
