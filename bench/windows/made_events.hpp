// Events made in memory for benchmarks of state: the same ones every time, and no parsing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/data/event_batch.hpp"

namespace tidemark {

/// How events fall on merchants: all alike, by Zipf's law with exponent 1.1, or nine of ten on one.
enum class Spread { uniform, zipf, hot };

/// Mostly payments, a refund now and then; 90 days for `events` of them, so that days, weeks and
/// months pass.
class MadeEvents {
 public:
  MadeEvents(Spread spread, std::uint32_t merchants, std::size_t events);

  /// Fills `batch` with the next events. Its views are good until the next call.
  void fill(EventBatch& batch, std::size_t count);

 private:
  std::uint32_t draw();

  Spread spread_;
  std::uint32_t merchants_;
  std::vector<double> cumulated_;  // weights, for Zipf
  std::int64_t step_ms_;
  std::mt19937_64 random_{20181001};
  std::vector<std::string> ids_, event_ids_;
  std::uint64_t made_ = 0;
};

}  // namespace tidemark
