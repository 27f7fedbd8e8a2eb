// The reason table of a release: which code stands for which feature, and the sentences that carry
// the merchant's own numbers. Loaded once, immutable, shared by all workers. It renders nothing:
// stream/encode writes the text.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

/// Reasons of the policy's own rules. Their numbers are the first codes of every table.
enum class RuleReason : std::uint16_t {
  history_short,     // days of history against the mark
  months_few,        // months with takings against the mark
  payments_few,      // payments of the last 30 days against the mark
  inflow_low,        // takings too small for the smallest limit
  score_refused,     // probability of default against the mark
  inflow_changed,    // monthly net inflow against the typical merchant
  week_fell,         // change of the last full week
  fraud_confirmed,   // confirmed fraud against the mark
  chargebacks_high,  // share of chargebacks against the mark
  alert_red,         // an open red alert
  frozen,            // by control event
  overlay,           // an emergency overlay is in force
  season,            // the season's factor of the merchant's industry
};
inline constexpr std::size_t rule_reason_count = 13;
std::string_view name_of(RuleReason rule);  // "HISTORY_SHORT", ...

/// `Reason::feature` of a rule that rests on no feature.
inline constexpr std::uint16_t no_feature = 0xFFFF;

/// What stands in one place of a sentence.
enum class SlotKind : std::uint8_t {
  literal,          // text as it is
  value,            // {value}: at most two decimals
  typical,          // {typical}
  value_count,      // {value:count}: a whole number
  typical_count,    // {typical:count}
  value_percent,    // {value:percent}: times 100, at most one decimal, with the sign %
  typical_percent,  // {typical:percent}
  value_change,     // {value:change}: "down 42%" or "up 3%"
  feature,          // {feature}: the feature's name
};

/// A sentence cut into literals and places for numbers.
struct ReasonText {
  struct Part {
    SlotKind kind = SlotKind::literal;
    std::string literal;
  };
  std::vector<Part> parts;
};

/// Throws UsageError `where: ...` for a placeholder that does not exist.
ReasonText parse_reason_text(std::string_view text, const std::string& where);

struct ReasonTable {
  std::vector<std::string> codes;           // [Reason::code]; the rules' first
  std::vector<ReasonText> rule_texts;       // [RuleReason]
  std::vector<std::uint16_t> column_codes;  // [plan column] -> code
  std::vector<ReasonText> column_texts;     // [plan column]
  std::string text;                         // the file as read, for the release

  const ReasonText& sentence(std::uint16_t code, std::uint16_t feature) const {
    return code < rule_reason_count ? rule_texts[code] : column_texts[feature];
  }
};

/// Reads reasons.yaml. A plan column that the file does not name gets its own name in capitals as
/// the code and a plain sentence, so that any spec has a full table. Throws UsageError with file
/// and line.
ReasonTable load_reasons(const std::filesystem::path& file,
                         std::span<const std::string> plan_names);

}  // namespace tidemark
