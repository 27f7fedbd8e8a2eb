// Labels of training rows: what was known of them at a stated age. What a stream says later, be it
// of an earlier time, changes no label. One thread uses this.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/event_batch.hpp"

namespace tidemark {

/// "fraud:7d": the last of fraud and legitimate that names the row's event, within 7 days of it.
/// "default:90d": whether the merchant defaults in the 90 days after the row.
struct LabelRule {
  EventType type = EventType::fraud;  // or loan_default
  std::int64_t maturity_ms = 0;
  std::string text;  // as it was given

  std::string_view name() const { return type == EventType::fraud ? "fraud" : "default"; }
};

/// Throws UsageError that says what is expected: fraud or default, and a time in h, d or w.
LabelRule parse_label_rule(const std::string& text);

/// A row as far as its label goes.
struct LabelledRow {
  std::uint64_t merchant_hash = 0, event_id_hash = 0;
  std::int64_t event_time_ms = 0;
  std::int32_t partition = 0;
};

class Feedback {
 public:
  static constexpr float unknown = std::numeric_limits<float>::quiet_NaN();

  /// Takes note of the feedback among a batch's events, and of the time that each partition has
  /// reached. Duplicates and dead letters say nothing.
  void note(const EventBatch& events);
  /// The same of one event, whose outcome is not in the batch yet.
  void note(const EventBatch& events, std::size_t row, Outcome outcome);
  /// Once, behind the last note().
  void sort();
  /// 1, 0, or `unknown`: the stream ends before the row is mature, or, for default, the merchant
  /// had defaulted already.
  float label(const LabelRule& rule, const LabelledRow& row) const;

 private:
  struct Entry {
    std::uint64_t merchant_hash, ref_hash;  // 0: of the merchant itself
    std::int64_t known_ms;                  // what its partition had reached with it
    EventType type;
  };
  std::span<const Entry> of(std::uint64_t merchant_hash, std::uint64_t ref_hash) const;

  std::vector<Entry> entries_;
  std::map<std::int32_t, std::int64_t> reached_;  // partition -> largest event time
};

}  // namespace tidemark
