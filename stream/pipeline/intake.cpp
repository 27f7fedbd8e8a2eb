// See intake.hpp.
#include "stream/pipeline/intake.hpp"

#include "stream/kafka/partitioner.hpp"

namespace tidemark {
namespace {

constexpr std::size_t parse_grain = 512;

void dead_letter(EventBatch& rows, std::size_t row, RowError error, std::string message) {
  rows.outcome[row] = Outcome::dead_lettered;
  rows.error[row] = error;
  rows.error_message[row] = std::move(message);
}

}  // namespace

Intake::Intake(const Config& config, ThreadPool& pool, int partitions)
    : pool_(pool), future_tolerance_ms_(config.future_tolerance_ms), partitions_(partitions) {
  for (int i = 0; i < pool.threads(); ++i)
    parsers_.emplace_back(ParseOptions{config.value_bytes_max});
}

std::unique_ptr<EventBatch> Intake::parse(const std::shared_ptr<const RawBatch>& raw,
                                          std::size_t first, std::size_t count) {
  auto rows = std::make_unique<EventBatch>();
  rows->grow(count);
  rows->keep(raw);
  pool_.parallel_for(count, parse_grain, [&](std::size_t begin, std::size_t end, int worker) {
    parsers_[static_cast<std::size_t>(worker)].parse(*raw, first + begin, end - begin, *rows,
                                                     begin);
    settle(*rows, begin, end);
  });
  return rows;
}

void Intake::settle(EventBatch& rows, std::size_t begin, std::size_t end) const {
  for (std::size_t row = begin; row < end; ++row) {
    if (rows.outcome[row] != Outcome::pending) continue;
    // Subtracting cannot overflow: both lie between 1970 and 2261.
    if (rows.event_time_ms[row] - rows.kafka_time_ms[row] > future_tolerance_ms_) {
      dead_letter(
          rows, row, RowError::future_timestamp,
          "event_time: later than the record's own timestamp by more than the tolerance of " +
              std::to_string(future_tolerance_ms_ / 3'600'000) + " h");
    } else if (partitions_ > 0 && rows.source[row] != Source::control) {
      const int belongs = partition_of(rows.merchant_id[row], partitions_);
      if (belongs == rows.partition[row]) continue;
      dead_letter(rows, row, RowError::key_mismatch,
                  "merchant_id: belongs to partition " + std::to_string(belongs) + ", lies in " +
                      std::to_string(rows.partition[row]));
    }
  }
}

}  // namespace tidemark
