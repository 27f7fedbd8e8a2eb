// DecisionEncoder: decisions and letters as the bytes that consumers read, in the field order that
// is fixed in docs/schemas. One per release and configuration, const, shared by all workers; the
// OutputBatch belongs to the caller. Knows nothing of Kafka and allocates only when a batch grows.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/decision.hpp"
#include "kernels/data/event.hpp"
#include "kernels/data/event_batch.hpp"
#include "models/reasons.hpp"
#include "stream/encode/output.hpp"

namespace tidemark {

class JsonWriter;

/// The words that decisions hold besides numbers. Strings are copied.
struct EncoderNames {
  std::array<std::string, source_count> topics;  // provenance: topic of a source, or its name
  std::vector<std::string> features;             // plan columns
  std::vector<std::string> tiers;                // Policy::tier_names()
  ReasonTable reasons;
  std::string release;  // 12 hex digits
};

/// The input record behind a decision, and whom it concerns.
struct DecisionContext {
  std::string_view merchant_id;    // UTF-8
  std::string_view event_id;       // verdicts only
  std::int64_t event_time_ms = 0;  // verdicts only; limits and alerts carry their own
  Source source = Source::payments;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

class DecisionEncoder {
 public:
  explicit DecisionEncoder(EncoderNames names);

  /// The context of row `row` of a batch.
  static DecisionContext context(const EventBatch& events, std::size_t row);

  void verdict(const DecisionContext& at, const VerdictDecision& decision, OutputBatch& out) const;
  void limit(const DecisionContext& at, const LimitDecision& decision, OutputBatch& out) const;
  void alert(const DecisionContext& at, const AlertDecision& decision, OutputBatch& out) const;

 private:
  void reasons(std::span<const Reason> list, JsonWriter& json) const;
  void sentence(const Reason& reason, JsonWriter& json) const;
  void provenance(const DecisionContext& at, JsonWriter& json) const;

  std::vector<std::string> features_;                 // quoted
  std::vector<std::string> tiers_;                    // quoted
  std::vector<std::string> codes_;                    // quoted
  ReasonTable sentences_;                             // literals escaped
  std::array<std::string, source_count> provenance_;  // up to the partition's number
  std::string release_tail_;                          // from behind the offset to the end
  std::size_t verdict_bytes_max_ = 0;                 // without reasons and ids
  std::size_t record_bytes_max_ = 0;                  // of a limit or an alert, likewise
  std::size_t reason_bytes_max_ = 0;
};

/// releases.v1: `document` under the key `fingerprint`.
void encode_release(std::string_view fingerprint, std::string_view document, OutputBatch& out);

/// dead-letter and late: original key and value, with the headers of a letter. `events.error` and
/// `error_message` say what is wrong with a dead letter; a late record says "late".
void encode_dead_letter(const EventBatch& events, std::size_t row, OutputBatch& out);
void encode_late(const EventBatch& events, std::size_t row, std::string_view message,
                 OutputBatch& out);

/// Adds the records of `part` behind those of `out`: batches that workers encoded side by side.
void append_output(const OutputBatch& part, OutputBatch& out);

/// One letter as the object that replay writes to dead-letter.jsonl and late.jsonl: error, message,
/// topic (the source's name), partition, offset, key_base64 (where there is a key), value_base64
/// (null for a null value). No line end.
std::string file_json(const OutputBatch& batch, const OutputRecord& record);

}  // namespace tidemark
