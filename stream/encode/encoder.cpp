// See encoder.hpp. Every record is written by a pen into room whose upper bound is known before, so
// the only allocation is the growth of the batch.
#include "stream/encode/encoder.hpp"

#include <algorithm>
#include <utility>

#include "kernels/base/currency.hpp"
#include "stream/encode/json_writer.hpp"

namespace tidemark {
namespace {

constexpr std::array<std::string_view, 3> verdict_words = {"allow", "review", "block"};
constexpr std::array<std::string_view, 5> status_words = {"none", "thin_file", "active", "frozen",
                                                          "suspended"};
constexpr std::array<std::string_view, 1> rule_words = {"two_week_fall"};
constexpr std::array<std::string_view, 4> state_words = {"opened", "updated", "acknowledged",
                                                         "closed"};
constexpr std::array<std::string_view, 3> alert_tier_words = {"red", "yellow", "blue"};
constexpr std::array<std::string_view, 4> reading_words = {"none", "week_on_week", "baseline",
                                                           "both"};

template <typename Enum, std::size_t Count>
std::string_view word(const std::array<std::string_view, Count>& words, Enum value) {
  return words[static_cast<std::size_t>(value)];
}

/// Room for one value at the end of a batch. On commit the batch ends where the pen stopped.
class Room {
 public:
  Room(OutputBatch& out, std::size_t bytes_max) : out_(out), begin_(out.bytes.size()) {
    out_.bytes.resize(begin_ + bytes_max);
  }
  JsonWriter pen() { return JsonWriter(out_.bytes.data() + begin_); }
  std::size_t offset_of(const JsonWriter& json) const {
    return static_cast<std::size_t>(json.at() - out_.bytes.data());
  }
  /// `key_at` is where the pen wrote the merchant's id. An id without escapes stands in the value
  /// as it is, so the key is a range of the value; else it is added behind it.
  void commit(const JsonWriter& json, OutputTopic topic, std::size_t key_at, std::size_t key_bytes,
              std::string_view merchant_id) {
    OutputRecord record;
    record.topic = topic;
    record.value_begin = begin_;
    record.value_bytes = static_cast<std::uint32_t>(offset_of(json) - begin_);
    record.key_bytes = static_cast<std::uint32_t>(merchant_id.size());
    record.key_begin = key_at;
    out_.bytes.resize(offset_of(json));
    if (key_bytes != merchant_id.size()) {
      record.key_begin = out_.bytes.size();
      out_.bytes += merchant_id;
    }
    out_.records.push_back(record);
  }

 private:
  OutputBatch& out_;
  std::size_t begin_;
};

/// A number as people read it: at most `digits` decimals, two significant ones when it is small.
void plain(double value, int digits, JsonWriter& json) {
  if (!std::isfinite(value)) return json.raw("unknown");
  if (value != 0 && std::abs(value) < 0.1 && digits == 2) return json.rounded(value, 4);
  json.rounded(value, digits);
}

void percent(double value, JsonWriter& json) {
  if (!std::isfinite(value)) return json.raw("unknown");
  json.rounded(value * 100.0, 1);
  json.raw('%');
}

void change(double value, JsonWriter& json) {
  if (!std::isfinite(value)) return json.raw("unknown");
  json.raw(value < 0 ? "down " : "up ");
  percent(std::abs(value), json);
}

std::vector<std::string> all_quoted(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& text : words) quoted.push_back(json_string(text));
  return quoted;
}

/// Escapes the literals of sentences; gives the longest sentence's bound in bytes.
std::size_t prepare(std::vector<ReasonText>& texts, std::size_t feature_bytes_max) {
  std::size_t longest = 0;
  for (ReasonText& text : texts) {
    std::size_t bytes = 0;
    for (ReasonText::Part& part : text.parts) {
      const std::string quoted = json_string(part.literal);
      part.literal = quoted.substr(1, quoted.size() - 2);
      bytes += part.literal.size() + number_bytes_max + feature_bytes_max;
    }
    longest = std::max(longest, bytes);
  }
  return longest;
}

std::size_t longest_of(const std::vector<std::string>& words) {
  std::size_t longest = 0;
  for (const std::string& text : words) longest = std::max(longest, text.size());
  return longest;
}

}  // namespace

DecisionEncoder::DecisionEncoder(EncoderNames names)
    : features_(all_quoted(names.features)),
      tiers_(all_quoted(names.tiers)),
      codes_(all_quoted(names.reasons.codes)),
      sentences_(std::move(names.reasons)) {
  std::size_t provenance_bytes = 0;
  for (std::size_t source = 0; source < provenance_.size(); ++source) {
    provenance_[source] =
        R"(,"provenance":{"topic":)" + json_string(names.topics[source]) + R"(,"partition":)";
    provenance_bytes = std::max(provenance_bytes, provenance_[source].size());
  }
  release_tail_ = R"(,"release":)" + json_string(names.release) + "}}";
  const std::size_t feature_bytes = longest_of(features_);
  const std::size_t sentence_bytes = std::max(prepare(sentences_.rule_texts, feature_bytes),
                                              prepare(sentences_.column_texts, feature_bytes));
  const std::size_t tail_bytes = provenance_bytes + release_tail_.size();
  // The bounds are tight for verdicts, because the room is zeroed before it is written: keys and
  // words take 120 bytes, score, partition, offset and time 64 + 11 + 20 + 24.
  verdict_bytes_max_ = 240 + tail_bytes;
  // Keys and words of a limit or an alert stay under 320 bytes, their numbers are at most 12.
  record_bytes_max_ = 320 + 12 * number_bytes_max + tail_bytes + longest_of(tiers_);
  reason_bytes_max_ =
      128 + 3 * number_bytes_max + sentence_bytes + feature_bytes + longest_of(codes_);
}

DecisionContext DecisionEncoder::context(const EventBatch& events, std::size_t row) {
  return {events.merchant_id[row], events.event_id[row],  events.event_time_ms[row],
          events.source[row],      events.partition[row], events.offset[row]};
}

void DecisionEncoder::provenance(const DecisionContext& at, JsonWriter& json) const {
  json.raw(provenance_[static_cast<std::size_t>(at.source)]);
  json.integer(at.partition);
  json.raw(R"(,"offset":)");
  json.integer(at.offset);
  json.raw(release_tail_);
}

void DecisionEncoder::sentence(const Reason& reason, JsonWriter& json) const {
  for (const ReasonText::Part& part : sentences_.sentence(reason.code, reason.feature).parts) {
    const double value = reason.value, typical = reason.typical;
    switch (part.kind) {
      case SlotKind::literal:
        json.raw(part.literal);
        break;
      case SlotKind::value:
        plain(value, 2, json);
        break;
      case SlotKind::typical:
        plain(typical, 2, json);
        break;
      case SlotKind::value_count:
        plain(value, 0, json);
        break;
      case SlotKind::typical_count:
        plain(typical, 0, json);
        break;
      case SlotKind::value_percent:
        percent(value, json);
        break;
      case SlotKind::typical_percent:
        percent(typical, json);
        break;
      case SlotKind::value_change:
        change(value, json);
        break;
      case SlotKind::feature:
        if (reason.feature < features_.size()) {
          const std::string_view quoted = features_[reason.feature];
          json.raw(quoted.substr(1, quoted.size() - 2));
        }
        break;
    }
  }
}

void DecisionEncoder::reasons(std::span<const Reason> list, JsonWriter& json) const {
  json.raw(R"(,"reasons":[)");
  for (const Reason& reason : list) {
    if (&reason != list.data()) json.raw(',');
    json.raw(R"({"code":)");
    json.raw(codes_[reason.code]);
    json.raw(R"(,"feature":)");
    json.raw(reason.feature < features_.size() ? std::string_view(features_[reason.feature])
                                               : std::string_view("null"));
    json.raw(R"(,"value":)");
    json.number(reason.value);
    json.raw(R"(,"typical":)");
    json.number(reason.typical);
    json.raw(R"(,"contribution":)");
    json.rounded(static_cast<double>(reason.contribution), 6);
    json.raw(R"(,"text":")");
    sentence(reason, json);
    json.raw("\"}");
  }
  json.raw(']');
}

void DecisionEncoder::verdict(const DecisionContext& at, const VerdictDecision& decision,
                              OutputBatch& out) const {
  const std::size_t ids = escaped_bytes_max * (at.merchant_id.size() + at.event_id.size());
  Room room(out, verdict_bytes_max_ + ids + decision.reason_count * reason_bytes_max_);
  JsonWriter json = room.pen();
  json.raw(R"({"event_id":)");
  json.quoted(at.event_id);
  json.raw(R"(,"merchant_id":")");
  const std::size_t key_at = room.offset_of(json);
  json.escaped(at.merchant_id);
  const std::size_t key_bytes = room.offset_of(json) - key_at;
  json.raw(R"(","verdict":")");
  json.raw(word(verdict_words, decision.verdict));
  json.raw(R"(","score":)");
  json.rounded(decision.score, 6);
  reasons({decision.reasons.data(), decision.reason_count}, json);
  json.raw(R"(,"event_time":")");
  json.time(at.event_time_ms);
  json.raw('"');
  provenance(at, json);
  room.commit(json, OutputTopic::verdicts, key_at, key_bytes, at.merchant_id);
}

void DecisionEncoder::limit(const DecisionContext& at, const LimitDecision& decision,
                            OutputBatch& out) const {
  Room room(out, record_bytes_max_ + escaped_bytes_max * at.merchant_id.size() +
                     decision.reason_count * reason_bytes_max_);
  JsonWriter json = room.pen();
  const int exponent = std::max(currency_exponent(decision.currency), 0);
  const auto amount = [&](std::string_view key, std::int64_t minor) {
    json.raw(key);
    json.decimal(minor, exponent);
  };
  json.raw(R"({"merchant_id":")");
  const std::size_t key_at = room.offset_of(json);
  json.escaped(at.merchant_id);
  const std::size_t key_bytes = room.offset_of(json) - key_at;
  json.raw(R"(","version":)");
  json.integer(decision.version);
  json.raw(R"(,"status":")");
  json.raw(word(status_words, decision.status));
  json.raw(R"(","currency":")");
  json.raw(currency_letters(decision.currency));
  amount(R"(","limit":")", decision.limit_minor);
  amount(R"(","previous":")", decision.previous_minor);
  amount(R"(","available":")", decision.available_minor);
  const bool has_tier = decision.tier < tiers_.size();
  json.raw(R"(","tier":)");
  json.raw(has_tier ? std::string_view(tiers_[decision.tier]) : std::string_view("null"));
  json.raw(R"(,"price_bps":)");
  if (has_tier) {
    json.integer(decision.price_bps);
  } else {
    json.raw("null");
  }
  reasons({decision.reasons.data(), decision.reason_count}, json);
  json.raw(R"(,"event_time":")");
  json.time(decision.event_time_ms);
  json.raw('"');
  provenance(at, json);
  room.commit(json, OutputTopic::limits, key_at, key_bytes, at.merchant_id);
}

void DecisionEncoder::alert(const DecisionContext& at, const AlertDecision& decision,
                            OutputBatch& out) const {
  Room room(out, record_bytes_max_ + 2 * escaped_bytes_max * at.merchant_id.size());
  JsonWriter json = room.pen();
  const auto number = [&](std::string_view key, double value) {
    json.raw(key);
    json.number(value);
  };
  json.raw(R"({"alert_id":")");
  json.escaped(at.merchant_id);
  json.raw(':');
  json.raw(word(rule_words, decision.rule));
  json.raw(':');
  json.integer(decision.sequence);
  json.raw(R"(","merchant_id":")");
  const std::size_t key_at = room.offset_of(json);
  json.escaped(at.merchant_id);
  const std::size_t key_bytes = room.offset_of(json) - key_at;
  json.raw(R"(","rule":")");
  json.raw(word(rule_words, decision.rule));
  json.raw(R"(","state":")");
  json.raw(word(state_words, decision.state));
  json.raw(R"(","tier":")");
  json.raw(word(alert_tier_words, decision.tier));
  json.raw(R"(","numbers":{"reading":")");
  json.raw(word(reading_words, decision.readings & 3));
  number(R"(","inflow_1w_ago3":)", decision.numbers[0]);
  number(R"(,"inflow_1w_ago2":)", decision.numbers[1]);
  number(R"(,"inflow_1w_ago1":)", decision.numbers[2]);
  number(R"(,"change_2w":)", decision.numbers[3]);
  number(R"(,"change_1w":)", decision.numbers[4]);
  number(R"(,"baseline_8w":)", decision.baseline);
  json.raw(R"(},"event_time":")");
  json.time(decision.event_time_ms);
  json.raw('"');
  provenance(at, json);
  room.commit(json, OutputTopic::alerts, key_at, key_bytes, at.merchant_id);
}

}  // namespace tidemark
