// `tidemark redrive`: lists dead letters, puts repaired ones back. Stdout: the letters, or one line
// of counts. Exit status 2 when a record was refused: then nothing was sent.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/redrive/redrive.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"

namespace tidemark {
namespace {

struct Options {
  ConfigOptions config;
  LetterChoice choice;
  std::string file;
  bool list = false;
};

void check_error_names(const std::vector<std::string>& errors) {
  for (const std::string& error : errors) {
    bool known = false;
    std::string names;
    for (int e = 1; e <= static_cast<int>(RowError::unsupported_control); ++e) {
      const std::string_view name = name_of(static_cast<RowError>(e));
      known = known || name == error;
      names += fmt::format("{}{}", e == 1 ? "" : ", ", name);
    }
    if (!known) throw UsageError(fmt::format("--error {}: there are {}", error, names));
  }
}

void print(const Findings& findings) {
  for (const std::string& what : findings.kept()) fmt::print(stderr, "{}\n", what);
  if (findings.count() > findings.kept().size()) {
    fmt::print(stderr, "and {} more\n", findings.count() - findings.kept().size());
  }
}

void run(const Options& options) {
  const LetterChoice& choice = options.choice;
  check_error_names(choice.errors);
  const bool chosen = choice.partition || choice.from || choice.to || !choice.errors.empty();
  if (!options.file.empty() && (options.list || chosen)) {
    throw UsageError("--file names the letters by itself: no other choice goes with it");
  }
  if (options.file.empty() && !options.list && choice.errors.empty()) {
    throw UsageError("redrive: one of --list, --file and --error is required");
  }
  const Config config = options.config.load();
  if (options.list) {
    list_letters(config, choice,
                 [](const DeadLetter& letter) { fmt::print("{}\n", letter_line(letter)); });
    return;
  }
  const RedriveReport report =
      options.file.empty() ? redrive_topic(config, choice) : redrive_file(config, options.file);
  print(report.already);
  print(report.refused);
  fmt::print("{{\"read\":{},\"redriven\":{},\"already\":{},\"refused\":{}}}\n", report.read,
             report.redriven, report.already.count(), report.refused.count());
  std::fflush(stdout);
  if (report.refused.count() > 0) {
    throw UsageError(fmt::format("redrive: {} of {} records are refused, nothing was sent",
                                 report.refused.count(), report.read));
  }
}

}  // namespace

void add_redrive_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("redrive", "Put dead letters back into their topics, each once");
  options->config.add_to(*command);
  command->add_flag("--list", options->list,
                    "The letters that were not put back, a line of JSON each");
  command->add_option("--file", options->file, "Put these back: lines of --list, repaired");
  command
      ->add_option("--error", options->choice.errors,
                   "Of this error only (repeatable); without --list: put them back unchanged")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--partition", options->choice.partition,
                   "Of this partition of the dead-letter topic only")
      ->check(CLI::Range(0, 1'000'000));
  command->add_option("--from", options->choice.from, "From this offset of the partition on");
  command->add_option("--to", options->choice.to, "Up to this offset, itself included");
  command->callback([options] { run(*options); });
}

}  // namespace tidemark
