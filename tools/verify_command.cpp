// `tidemark verify`: one table a partition, what is wrong, and one last line. Exit status 0:
// proved; 1: violations; 2: it cannot be told.
#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "kernels/base/failure.hpp"
#include "stream/encode/json_writer.hpp"
#include "stream/verify/rows_check.hpp"
#include "stream/verify/verify.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"
#include "tools/input_options.hpp"

namespace tidemark {
namespace {

struct Options {
  ConfigOptions config;
  InputOptions inputs;
  std::vector<int> partitions;
  std::string from, to, rows, sample;
  bool bytes = false, json = false;
};

/// `checkpoint`, or `checkpoint=GENERATION`.
std::optional<std::uint64_t> parse_checkpoint(const std::string& text) {
  constexpr std::string_view word = "checkpoint";
  if (!text.starts_with(word)) return std::nullopt;
  if (text == word) return 0;
  std::uint64_t generation = 0;
  const char* const last = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + word.size() + 1, last, generation);
  if (text[word.size()] != '=' || error != std::errc() || stop != last || generation == 0) {
    throw UsageError("--from " + text +
                     ": expected checkpoint, or checkpoint=GENERATION as `tidemark checkpoint "
                     "list` names them");
  }
  return generation;
}

std::optional<RangeEnd> parse_end(const std::string& option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  RangeEnd end;
  const std::size_t equals = text.find('=');
  const std::string number = equals == std::string::npos ? text : text.substr(equals + 1);
  bool known = equals == std::string::npos;
  for (std::size_t s = 0; !known && s < source_count; ++s) {
    if (text.substr(0, equals) != name_of(static_cast<Source>(s))) continue;
    end.source = static_cast<Source>(s);
    known = true;
  }
  const char* const last = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), last, end.offset);
  if (!known || error != std::errc() || stop != last || end.offset < 0) {
    throw UsageError(option + " " + text +
                     ": expected an offset of the journal, or SOURCE=OFFSET as payments=1000" +
                     (option == "--from" ? ", or checkpoint" : ""));
  }
  return end;
}

void print_table(const PartitionReport& report) {
  fmt::print("partition {}: {} transactions, journal offsets {} to {}, state {:016x}\n",
             report.partition, report.transactions, report.journal_first, report.journal_last,
             report.state_hash);
  fmt::print("  {:<10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "source", "records", "scored",
             "applied", "dead", "late", "duplicate");
  for (std::size_t s = 0; s < source_count; ++s) {
    const OutcomeCounts& c = report.sources[s];
    if (c.consumed == 0) continue;
    fmt::print("  {:<10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", name_of(static_cast<Source>(s)),
               c.consumed, c.scored, c.applied, c.dead_lettered, c.late, c.duplicate);
  }
  fmt::print("  {} limits, {} alerts, {} records not yet decided\n", report.limits, report.alerts,
             report.undecided);
  if (report.replayed_from > 0) {
    fmt::print("  replayed from the checkpoint of generation {}\n", report.replayed_from);
  }
  if (report.repeated > 0) {
    fmt::print("  {} outputs repeated with the same bytes\n", report.repeated);
  }
  for (const Violations::Named& one : report.violations.kept())
    fmt::print("  WRONG {}\n", one.text);
  if (report.violations.count() > report.violations.kept().size()) {
    fmt::print("  and {} more\n", report.violations.count() - report.violations.kept().size());
  }
}

void run_rows(const Options& options) {
  if (!options.from.empty() || !options.to.empty() || options.bytes) {
    throw UsageError("--rows goes with --input, --partition, --sample and --json");
  }
  const Config config = options.config.load();
  ReplayOptions inputs;
  inputs.kafka = !options.inputs.any();
  inputs.partitions = options.partitions;
  options.inputs.apply(inputs);
  RowsSample sample;
  if (!options.sample.empty()) sample = parse_rows_sample(options.sample);
  const RowsReport report = verify_rows(config, options.rows, inputs, sample);
  if (options.json) {
    fmt::print("{}\n", to_json(report));
  } else {
    for (const std::string& what : report.kept) fmt::print("  WRONG {}\n", what);
    for (const auto& [column, count] : report.wrong_by_column) {
      fmt::print("  {}: {} wrong\n", column, count);
    }
  }
  std::fflush(stdout);
  if (report.wrong > 0) {
    throw RunError(fmt::format("verify: {} values or rows are wrong", report.wrong));
  }
  if (options.json) return;
  fmt::print(
      "verified: {} values in {} of {} rows, all those of {} merchants, as their history "
      "gives them\n",
      report.values, report.compared, report.rows, report.merchants);
}

void run(const Options& options) {
  if (!options.rows.empty()) return run_rows(options);
  if (!options.sample.empty() || options.inputs.any()) {
    throw UsageError("--sample and --input: only with --rows");
  }
  VerifyOptions verify_options;
  verify_options.partitions = options.partitions;
  verify_options.from_checkpoint = parse_checkpoint(options.from);
  if (!verify_options.from_checkpoint) verify_options.from = parse_end("--from", options.from);
  verify_options.to = parse_end("--to", options.to);
  verify_options.bytes = options.bytes;
  const Config config = options.config.load();
  std::vector<PartitionReport> reports;
  try {
    reports = verify(config, verify_options);
  } catch (const RunError& error) {
    if (options.json) {
      fmt::print("{{\"result\":\"unknown\",\"reason\":{}}}\n", json_string(error.what()));
    }
    throw UsageError(fmt::format("verify cannot tell: {}", error.what()));
  }
  const ReportTotal total = total_of(reports);
  if (options.json) {
    fmt::print("{}\n", to_json(reports));
  } else {
    for (const PartitionReport& report : reports) print_table(report);
  }
  std::fflush(stdout);
  if (total.violations > 0) throw RunError(fmt::format("verify: {} violations", total.violations));
  if (options.json) return;
  fmt::print("verified: {} records of {} partitions in {} transactions, each with one outcome{}\n",
             total.records, reports.size(), total.transactions,
             options.bytes ? fmt::format("; {} outputs and every state hash as a replay gives them",
                                         total.compared)
                           : "");
}

}  // namespace

void add_verify_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "verify", "Prove from the log alone that every record has exactly one outcome");
  options->config.add_to(*command);
  command->add_option("--partition", options->partitions,
                      "This partition only (repeatable; default: all)");
  command->add_option("--from", options->from,
                      "First transaction: a journal offset, SOURCE=OFFSET that it holds, or "
                      "`checkpoint`: behind the oldest one (checkpoint=GENERATION: behind that)");
  command->add_option("--to", options->to, "Last transaction, likewise");
  command->add_flag("--bytes", options->bytes,
                    "Also replay the log, from its start or a checkpoint, and compare every byte "
                    "and state hash");
  command->add_option("--rows", options->rows,
                      "Instead: training rows of `tidemark replay --rows` (.csv, .npy), each value "
                      "computed once more from the history of its merchant and payer");
  options->inputs.add_to(*command);
  command->add_option("--sample", options->sample,
                      "With --rows: N/M of the file's merchants, each with all its rows");
  command->add_flag("--json", options->json, "One JSON object instead of tables");
  command->callback([options] { run(*options); });
}

}  // namespace tidemark
