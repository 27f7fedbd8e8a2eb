// See reasons.hpp. The sentences of the rules have defaults here; a bundle may word them anew.
#include "models/reasons.hpp"

#include <algorithm>
#include <cctype>
#include <map>

#include "kernels/base/failure.hpp"
#include "kernels/base/read_file.hpp"
#include "kernels/base/strict_yaml.hpp"
#include "kernels/base/utf8.hpp"

namespace tidemark {
namespace {

/// Of a word of the file, in a message.
constexpr std::size_t shown_bytes_max = 80;

struct RuleWords {
  std::string_view name;
  std::string_view text;
};

constexpr std::array<RuleWords, rule_reason_count> rule_words = {{
    {"HISTORY_SHORT", "{value:count} days of history, {typical:count} are needed"},
    {"MONTHS_FEW", "Takings in {value:count} of the last 12 months, {typical:count} are needed"},
    {"PAYMENTS_FEW", "{value:count} payments in the last 30 days, {typical:count} are needed"},
    {"INFLOW_LOW", "Net takings of {value} in 12 months, a limit needs {typical}"},
    {"SCORE_REFUSED", "Probability of default {value:percent}, accepted below {typical:percent}"},
    {"INFLOW_12M", "Net takings of {value} in 12 months, typically {typical}"},
    {"WEEK_CHANGE", "Takings of the last full week {value:change} on the week before"},
    {"FRAUD_CONFIRMED", "{value:count} frauds confirmed in 30 days, the mark is {typical:count}"},
    {"CHARGEBACKS_HIGH",
     "Chargebacks are {value:percent} of payments in 30 days, the mark is {typical:percent}"},
    {"ALERT_RED", "Takings of {value} in the last full week, {typical} before the fall"},
    {"FROZEN", "The limit was frozen by an operator"},
    {"OVERLAY", "An emergency overlay multiplies limits by {value}"},
    {"SEASON", "The season's factor of the industry is {value} this month"},
}};

struct Placeholder {
  std::string_view name;
  SlotKind kind;
};

constexpr std::array<Placeholder, 8> placeholders = {{
    {"value", SlotKind::value},
    {"typical", SlotKind::typical},
    {"value:count", SlotKind::value_count},
    {"typical:count", SlotKind::typical_count},
    {"value:percent", SlotKind::value_percent},
    {"typical:percent", SlotKind::typical_percent},
    {"value:change", SlotKind::value_change},
    {"feature", SlotKind::feature},
}};

SlotKind placeholder_kind(std::string_view name, const std::string& where) {
  for (const Placeholder& known : placeholders) {
    if (known.name == name) return known.kind;
  }
  throw UsageError(where + ": unknown placeholder {" + one_line(name, shown_bytes_max) +
                   "}; known are value, typical (with :count, :percent), value:change, feature");
}

std::string default_code(std::string_view feature) {
  std::string code(feature);
  std::transform(code.begin(), code.end(), code.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  for (const RuleWords& rule : rule_words) {
    if (rule.name == code) code += "_VALUE";
  }
  return code;
}

/// Index of `code` among the table's codes, added when new. The rules' codes are not to be reused:
/// a reason's sentence is chosen by its code.
std::uint16_t code_index(ReasonTable& table, const std::string& code, const std::string& where) {
  const auto found = std::find(table.codes.begin(), table.codes.end(), code);
  const auto index = static_cast<std::size_t>(found - table.codes.begin());
  if (index < rule_reason_count) {
    throw UsageError(where + ": code " + one_line(code, shown_bytes_max) +
                     " is taken by a rule of the policy");
  }
  if (found == table.codes.end()) {
    if (index >= no_feature) throw UsageError(where + ": more than 65534 reason codes");
    table.codes.push_back(code);
  }
  return static_cast<std::uint16_t>(index);
}

void check_code(YamlMap& entry, const std::string& code) {
  const bool fits = !code.empty() && std::all_of(code.begin(), code.end(), [](unsigned char c) {
    return std::isupper(c) != 0 || std::isdigit(c) != 0 || c == '_';
  });
  if (!fits) entry.fail("code", "expected capitals, digits and _, got '" + code + "'");
}

void read_rules(YamlMap& root, ReasonTable& table) {
  YamlMap rules = root.map("rules");
  for (const RuleWords& rule : rule_words) {
    const std::string name(rule.name);
    const std::string where = root.origin() + ": rules." + name;
    table.codes.push_back(name);
    table.rule_texts.push_back(parse_reason_text(rules.text(name, std::string(rule.text)), where));
  }
  rules.done();
}

}  // namespace

std::string_view name_of(RuleReason rule) {
  return rule_words[static_cast<std::size_t>(rule)].name;
}

ReasonText parse_reason_text(std::string_view text, const std::string& where) {
  ReasonText parsed;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    const std::string_view literal = text.substr(0, open);
    if (!literal.empty()) parsed.parts.push_back({SlotKind::literal, std::string(literal)});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) throw UsageError(where + ": a { without its }");
    parsed.parts.push_back(
        {placeholder_kind(text.substr(open + 1, close - open - 1), where), std::string()});
    text.remove_prefix(close + 1);
  }
  return parsed;
}

ReasonTable load_reasons(const std::filesystem::path& file,
                         std::span<const std::string> plan_names) {
  ReasonTable table;
  table.text = read_file(file, yaml_bytes_max);
  YamlMap root(parse_yaml(table.text, file.string()), file.string());
  read_rules(root, table);
  YamlMap features = root.map("features");
  // The file may word features that this plan lacks: one table serves several specs.
  std::map<std::string, std::pair<std::string, ReasonText>> worded;
  for (const std::string& name : features.keys()) {
    YamlMap entry = features.map(name);
    const std::string where = root.origin() + ": features." + one_line(name, shown_bytes_max);
    const std::string code = entry.text("code");
    check_code(entry, code);
    worded[name] = {code, parse_reason_text(entry.text("text"), where + ".text")};
    entry.done();
  }
  root.done();
  for (const std::string& name : plan_names) {
    const std::string where = root.origin() + ": features." + name;
    const auto found = worded.find(name);
    const bool known = found != worded.end();
    const std::string code = known ? found->second.first : default_code(name);
    table.column_codes.push_back(code_index(table, code, where));
    table.column_texts.push_back(
        known ? found->second.second
              : parse_reason_text("{feature} is {value}, typically {typical}", where));
  }
  return table;
}

}  // namespace tidemark
