// One pass of a batch over the records of one kind of key: groups of rows of the same key are
// handed to workers, and the memory that they will touch is asked for ahead. The arithmetic is in
// kernels/window; what an event means for its key is the table's affair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "features/record_pages.hpp"
#include "kernels/data/event_batch.hpp"
#include "kernels/data/feature_matrix.hpp"
#include "kernels/runtime/thread_pool.hpp"
#include "kernels/window/event_body.hpp"
#include "kernels/window/read_body.hpp"
#include "kernels/window/segment.hpp"

namespace tidemark {

/// What the windows see of a row.
WindowEvent window_event(const EventBatch& batch, std::size_t row);
/// Digits after the point, 0 where a currency has none.
std::uint8_t exponent_of(CurrencyCode currency);

/// Where the rows of a group are read out to.
struct ReadTarget {
  std::span<const std::uint32_t> matrix_row;  // [row], UINT32_MAX: not read out
  FeatureMatrix& matrix;
  Fraction* numbers;  // scratch of the worker
};

struct WindowPass {
  using Scratch = std::vector<std::vector<Fraction>>;  // one per worker, kept between batches

  const WindowPlanView& plan;
  const RecordPages& records;
  const EventBatch& batch;
  std::span<const std::uint32_t> slots;  // [row]
  const Segments& segments;              // of `slots`

  /// Calls apply_group(record, rows, numbers) for each key, in parallel, its rows in order.
  template <typename ApplyGroup>
  void run(ThreadPool& pool, Scratch& scratch, ApplyGroup apply_group) const {
    scratch.resize(static_cast<std::size_t>(pool.threads()));
    const std::size_t groups = segments.groups();
    pool.parallel_for(groups, groups_per_range,
                      [&](std::size_t begin, std::size_t end, int worker) {
                        std::vector<Fraction>& numbers = scratch[static_cast<std::size_t>(worker)];
                        numbers.resize(plan.number_count);
                        for (std::size_t group = begin; group < end; ++group) {
                          if (group + front_ahead < groups) {
                            prefetch_front(record_of(first_row(group + front_ahead)));
                          }
                          if (group + buckets_ahead < end) {
                            const std::uint32_t row = first_row(group + buckets_ahead);
                            prefetch_buckets(record_of(row), row);
                          }
                          apply_group(record_of(first_row(group)), rows_of(group), numbers.data());
                        }
                      });
  }

 private:
  // Groups that a worker takes at a time. Keys differ in events, so small beats even.
  static constexpr std::size_t groups_per_range = 32;
  // How many groups ahead the fronts of records are asked for, and the buckets that those name.
  static constexpr std::size_t front_ahead = 6, buckets_ahead = 3;

  std::uint32_t first_row(std::size_t group) const {
    return segments.order[segments.begins[group]];
  }
  std::span<const std::uint32_t> rows_of(std::size_t group) const {
    const std::uint32_t begin = segments.begins[group];
    return std::span(segments.order).subspan(begin, segments.begins[group + 1] - begin);
  }
  unsigned char* record_of(std::uint32_t row) const { return records.at(slots[row]); }
  void prefetch_front(const unsigned char* record) const;
  /// The buckets that the row's event will touch: those that it falls into, and those that the
  /// clock's step takes out of a window. A guess that is wrong costs time, never bits.
  void prefetch_buckets(unsigned char* record, std::uint32_t row) const;
};

}  // namespace tidemark
