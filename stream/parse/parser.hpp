// Parser: raw records to rows of an EventBatch. One per thread; several may fill disjoint row
// ranges of one batch at the same time. Bad input never throws: it becomes a dead letter whose
// error and message name the field. Knows the JSON of the events, but no merchant and no clock.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/data/event_batch.hpp"
#include "kernels/data/raw_batch.hpp"

namespace tidemark {

struct ParseOptions {
  /// Records with a larger value are dead letters, `oversized`.
  std::size_t value_bytes_max = std::size_t{1} << 20;
};

class Parser {
 public:
  explicit Parser(ParseOptions options);
  ~Parser();
  Parser(Parser&&) noexcept;
  Parser& operator=(Parser&&) noexcept;

  /// Parses records [first, first + count) of `raw` into rows [row, row + count) of `batch`, which
  /// `grow` has made and nobody wrote. Views of the rows point into `raw`, whose bytes the caller
  /// keeps alive (EventBatch::keep); unescaped strings are added to `batch.owners`.
  ///
  /// Every row gets its coordinates. A good row gets all its columns and stays `pending`; a bad
  /// one is `dead_lettered` with `error` and `error_message`, and of its columns only merchant_id,
  /// event_id and event_time_ms (with flag_time_readable) are set, each where it was readable.
  /// The content of a row depends on its record alone; the order of `profiles` on the threads.
  void parse(const RawBatch& raw, std::size_t first, std::size_t count, EventBatch& batch,
             std::size_t row);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// XXH3-64 of an id's UTF-8 bytes, as in the hash columns; 0 for the empty string alone.
std::uint64_t hash_of_id(std::string_view id);

}  // namespace tidemark
