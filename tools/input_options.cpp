// See input_options.hpp.
#include "tools/input_options.hpp"

#include <chrono>

#include "kernels/base/failure.hpp"
#include "stream/parse/time.hpp"

namespace tidemark {
namespace {

void add_input(const std::string& input, ReplayOptions& replay) {
  const std::size_t equals = input.find('=');
  const std::string name = input.substr(0, equals);
  for (std::size_t s = 0; s < source_count; ++s) {
    if (equals == std::string::npos || name != name_of(static_cast<Source>(s))) continue;
    if (replay.inputs[s]) throw UsageError("--input " + input + ": " + name + " is given twice");
    replay.inputs[s] = input.substr(equals + 1);
    return;
  }
  throw UsageError("--input " + input +
                   ": expected SOURCE=FILE, where SOURCE is payments, invoices, merchants, "
                   "signals, feedback or control");
}

std::int64_t parse_now(const std::string& text) {
  if (text.empty()) {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  }
  // Read as an event's time is, so that the two can be compared without overflow.
  std::int64_t now_ms = 0;
  if (parse_rfc3339(text, now_ms) || parse_epoch_ms(text, now_ms)) return now_ms;
  throw UsageError("--now " + text +
                   ": expected RFC 3339, as 2025-07-01T00:00:00Z, or epoch milliseconds, from 1970 "
                   "to 2261");
}

}  // namespace

void InputOptions::add_to(CLI::App& command) {
  command.add_option("--input", inputs, "SOURCE=FILE: .jsonl, .gz or .zst (repeatable)")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option(
      "--now", now,
      "What stands for the Kafka timestamp (RFC 3339 or epoch ms; default: the start)");
}

void InputOptions::apply(ReplayOptions& replay) const {
  for (const std::string& input : inputs) add_input(input, replay);
  replay.now_ms = parse_now(now);
}

}  // namespace tidemark
