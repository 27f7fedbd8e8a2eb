// EventBatch, the first of the four nouns: parsed events as columns, one row an input record, good
// or bad. Filled by stream/parse, completed (slot, outcome) by features, read by everyone after.
// Owned by one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/event.hpp"
#include "kernels/data/raw_batch.hpp"

namespace tidemark {

inline constexpr std::int64_t no_time = INT64_MIN;
inline constexpr std::uint32_t no_slot = UINT32_MAX;
inline constexpr std::int32_t no_profile = -1;

/// ISO 4217 code packed as three letters, 0 = none: 'C' | 'N' << 8 | 'Y' << 16.
using CurrencyCode = std::uint32_t;

/// A slow input of merchants.v1: a named number with the time it was true.
struct ProfileInput {
  std::string name;
  double value = 0;
  std::int64_t as_of_ms = 0;
};

/// The rare, wide events (merchants and control); rows point at them by `profile_index`.
struct Profile {
  CurrencyCode currency = 0;
  std::string industry, region, time_zone;
  std::int64_t opened_at_ms = no_time;
  std::vector<ProfileInput> inputs;
  // control only
  std::string scope_merchant_id;  // freeze, unfreeze: one merchant; empty = all
  std::string bundle;             // activate_model, activate_policy: name of a configured bundle
  std::string overlay_region, overlay_industry;
  double overlay_factor = 1.0;  // overlay: multiplies limits
  std::string outcome;          // feedback: outcome of an appeal
};

/// Columns of `rows()` events. A column that a row's type does not have holds 0, or `no_time`.
/// Hashes are XXH3-64 of the UTF-8 bytes, 0 = absent.
class EventBatch {
 public:
  std::size_t rows() const { return source.size(); }
  bool empty() const { return source.empty(); }
  /// Drops all rows and owners, keeps the memory.
  void clear();
  /// Adds `count` default rows and returns the index of the first.
  std::size_t grow(std::size_t count);
  /// Appends rows [first, first + count) of another batch, sharing its bytes.
  void append(const EventBatch& from, std::size_t first, std::size_t count);
  /// Keeps `bytes` alive as long as the rows are.
  void keep(std::shared_ptr<const RawBatch> bytes);

  // Where it came from.
  std::vector<Source> source;
  std::vector<std::int32_t> partition;
  std::vector<std::int64_t> offset;
  std::vector<std::int64_t> kafka_time_ms;
  std::vector<std::string_view> raw_value, raw_key;
  std::vector<std::string_view> headers;                // packed, empty where they are not kept
  std::vector<std::string_view> merchant_id, event_id;  // unescaped UTF-8

  // What it says.
  std::vector<EventType> type;
  std::vector<std::uint8_t> flags;
  std::vector<std::int64_t> event_time_ms;
  std::vector<std::int64_t> amount_minor;  // payments, invoices: never negative
  std::vector<CurrencyCode> currency;
  std::vector<std::uint64_t> merchant_hash, event_id_hash;
  std::vector<std::uint64_t> payer_hash;  // payer_id, or buyer_id of an invoice
  std::vector<std::uint64_t> ref_hash, invoice_hash, order_hash, channel_hash;
  std::vector<std::uint64_t> name_hash;     // signals: the signal's name
  std::vector<double> value;                // signals
  std::vector<std::int64_t> due_time_ms;    // invoices
  std::vector<std::int32_t> profile_index;  // into `profiles`, or no_profile

  // What became of it.
  std::vector<RowError> error;
  std::vector<std::string> error_message;  // empty unless error != none; names the field
  std::vector<Outcome> outcome;
  std::vector<std::uint32_t> slot;  // of the merchant table, or no_slot

  std::vector<Profile> profiles;

  /// Strings that had to be unescaped live here (stable addresses), beside the raw bytes.
  std::vector<std::shared_ptr<const void>> owners;
};

}  // namespace tidemark
