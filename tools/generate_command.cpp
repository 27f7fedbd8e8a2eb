// `tidemark generate`: options in, files and a summary out.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "kernels/base/failure.hpp"
#include "tools/commands.hpp"
#include "tools/generate/generator.hpp"

namespace tidemark {
namespace {

struct GenerateArguments {
  GenerateOptions options;
  std::string start = "2025-01-01";
  bool json = false;
};

std::int64_t day_of(const std::string& text) {
  int year = 0;
  unsigned month = 0, day = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2u%c", &year, &month, &day, &rest) == 3 && year >= 1980 &&
      year <= 2240) {
    using namespace std::chrono;
    const year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                              std::chrono::day{day}};
    if (date.ok()) return sys_days{date}.time_since_epoch().count();
  }
  throw UsageError(fmt::format("--start: {} is no date between 1980-01-01 and 2240-12-31", text));
}

void run_generate(GenerateArguments& arguments) {
  arguments.options.start_day = day_of(arguments.start);
  const auto started = std::chrono::steady_clock::now();
  const GenerateSummary summary = generate(arguments.options);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  std::uint64_t all = 0;
  std::string parts;
  for (int s = 0; s < source_count; ++s) {
    const std::uint64_t count = summary.lines[static_cast<std::size_t>(s)];
    if (static_cast<Source>(s) == Source::control) continue;
    const std::string_view name = name_of(static_cast<Source>(s));
    parts += arguments.json ? fmt::format("\"{}\":{},", name, count)
                            : fmt::format("{} {}, ", name, count);
    all += count;
  }
  if (arguments.json) {
    fmt::print("{{{}\"bad_lines\":{},\"seconds\":{:.3f}}}\n", parts, summary.bad_lines, seconds);
  } else {
    fmt::print("{}bad lines {}: {:.2f} s, {:.0f} events/s\n", parts, summary.bad_lines, seconds,
               static_cast<double>(all) / seconds);
  }
}

}  // namespace

void add_generate_command(CLI::App& app) {
  auto arguments = std::make_shared<GenerateArguments>();
  GenerateOptions& o = arguments->options;
  CLI::App* command = app.add_subcommand(
      "generate", "Write a made-up stream of events as JSON Lines; same seed, same bytes");
  command->add_option("--merchants", o.merchants, "How many merchants")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  command->add_option("--days", o.days, "How many days of arrivals")
      ->check(CLI::Range(1, 3660))
      ->capture_default_str();
  command->add_option("--seed", o.seed, "The seed")->capture_default_str();
  command->add_option("--start", arguments->start, "The first day, UTC")->capture_default_str();
  command->add_option("--events-per-day", o.events_per_day, "Payments a merchant, in the mean")
      ->check(CLI::Range(0.01, 100'000.0))
      ->capture_default_str();
  command->add_option("--bad-share", o.bad_share, "Malformed lines for each good one")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--out", o.out, "The folder for the files")->required();
  command->add_flag("--json", arguments->json, "Print the summary as JSON");
  command->callback([arguments] { run_generate(*arguments); });
}

}  // namespace tidemark
