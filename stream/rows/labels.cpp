// See labels.hpp.
#include "stream/rows/labels.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <tuple>
#include <utility>

#include "kernels/base/civil_time.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

constexpr std::int64_t long_ago = INT64_MIN;
constexpr int maturity_max = 10'000;

bool says_something(Outcome outcome) {
  return outcome == Outcome::scored || outcome == Outcome::applied || outcome == Outcome::late;
}

}  // namespace

LabelRule parse_label_rule(const std::string& text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view type(text.data(), colon);
  LabelRule rule;
  rule.text = text;
  if (type == "default") rule.type = EventType::loan_default;
  const char* const end = text.data() + text.size();
  int count = 0;
  const auto [unit, error] = std::from_chars(std::min(text.data() + colon + 1, end), end, count);
  const std::int64_t unit_ms = unit + 1 != end ? 0
                               : *unit == 'h'  ? ms_per_hour
                               : *unit == 'd'  ? ms_per_day
                               : *unit == 'w'  ? 7 * ms_per_day
                                               : 0;
  if ((type != "fraud" && type != "default") || error != std::errc() || unit_ms == 0 || count < 1 ||
      count > maturity_max) {
    throw UsageError("--label " + text +
                     ": expected fraud:TIME or default:TIME, the age at which a label is mature: "
                     "24h, 7d, 13w");
  }
  rule.maturity_ms = count * unit_ms;
  return rule;
}

void Feedback::note(const EventBatch& events) {
  for (std::size_t row = 0; row < events.rows(); ++row) note(events, row, events.outcome[row]);
}

void Feedback::note(const EventBatch& events, std::size_t row, Outcome outcome) {
  if (!says_something(outcome)) return;
  const std::int64_t time_ms = events.event_time_ms[row];
  if (time_ms == no_time) return;
  std::int64_t& reached = reached_.try_emplace(events.partition[row], long_ago).first->second;
  reached = std::max(reached, time_ms);
  const EventType type = events.type[row];
  if (type == EventType::fraud || type == EventType::legitimate) {
    if (events.ref_hash[row] == 0) return;  // of no event in particular
    entries_.push_back({events.merchant_hash[row], events.ref_hash[row], reached, type});
  } else if (type == EventType::loan_default || type == EventType::repaid) {
    entries_.push_back({events.merchant_hash[row], 0, reached, type});
  }
}

void Feedback::sort() {
  // Stable: of what became known at one instant the later in the stream is the last word.
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.merchant_hash, a.ref_hash, a.known_ms) <
           std::tie(b.merchant_hash, b.ref_hash, b.known_ms);
  });
}

std::span<const Feedback::Entry> Feedback::of(std::uint64_t merchant_hash,
                                              std::uint64_t ref_hash) const {
  const auto key_of = [](const Entry& entry) {
    return std::pair(entry.merchant_hash, entry.ref_hash);
  };
  const auto found =
      std::ranges::equal_range(entries_, std::pair(merchant_hash, ref_hash), {}, key_of);
  return {found.begin(), found.end()};
}

float Feedback::label(const LabelRule& rule, const LabelledRow& row) const {
  const std::int64_t until = row.event_time_ms + rule.maturity_ms;
  // At `until` itself the stream may go on with more of that instant.
  if (reached_.at(row.partition) <= until) return unknown;
  if (rule.type == EventType::fraud) {
    float label = 0;
    for (const Entry& said : of(row.merchant_hash, row.event_id_hash)) {
      if (said.known_ms <= until) label = said.type == EventType::fraud ? 1.0F : 0.0F;
    }
    return label;
  }
  float label = 0;
  for (const Entry& said : of(row.merchant_hash, 0)) {
    const bool defaults = said.type == EventType::loan_default;
    if (said.known_ms <= row.event_time_ms) {
      label = defaults ? unknown : 0.0F;
    } else if (said.known_ms <= until && defaults && label == 0) {
      label = 1;
    }
  }
  return label;
}

}  // namespace tidemark
