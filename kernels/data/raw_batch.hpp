// Bytes as they came: what a source hands to the parser. Owned by shared pointer, because late
// records and dead letters need their original bytes until they have been published.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/event.hpp"

namespace tidemark {

/// Every value is followed by at least this many readable bytes (simdjson reads past the end).
inline constexpr std::size_t raw_padding_bytes = 64;

/// One record. `value` and `key` point into the batch's bytes; a null data() is a Kafka null.
struct RawRecord {
  std::string_view value;
  std::string_view key;
  std::string_view headers;        // packed (stream/encode/headers.hpp), where they are kept
  std::int64_t offset = 0;         // Kafka offset, or the line of a file, from 0
  std::int64_t kafka_time_ms = 0;  // broker or producer timestamp; in file replay: --now
  std::int32_t partition = 0;
  Source source = Source::payments;
  bool has_key = false;  // false in file replay: there is no key to compare
};

/// Owner of the bytes. `keep_alive` holds whatever the views point into (a buffer, a mapped file).
struct RawBatch {
  std::vector<RawRecord> records;
  std::shared_ptr<const void> keep_alive;
};

}  // namespace tidemark
