// Intake: raw records to parsed rows that are ready to merge. Parses on the pool and settles what
// the log alone can settle: whether a record is ahead of its own timestamp, and whether it lies in
// the partition that its key belongs to.
#pragma once

#include <memory>
#include <vector>

#include "kernels/data/event_batch.hpp"
#include "kernels/runtime/thread_pool.hpp"
#include "stream/parse/parser.hpp"
#include "stream/pipeline/config.hpp"

namespace tidemark {

class Intake {
 public:
  /// `partitions`: of the keyed topics; 0 in file replay, where lines lie nowhere.
  Intake(const Config& config, ThreadPool& pool, int partitions);

  /// Rows of records [first, first + count) of `raw`, all of one source and partition.
  std::unique_ptr<EventBatch> parse(const std::shared_ptr<const RawBatch>& raw, std::size_t first,
                                    std::size_t count);

 private:
  void settle(EventBatch& rows, std::size_t begin, std::size_t end) const;

  ThreadPool& pool_;
  std::vector<Parser> parsers_;  // one a worker
  std::int64_t future_tolerance_ms_;
  int partitions_;
};

}  // namespace tidemark
