// `tidemark replay`: the engine over JSON Lines files, or once more over topics.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "kernels/base/failure.hpp"
#include "stream/pipeline/replay.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"
#include "tools/input_options.hpp"

namespace tidemark {
namespace {

struct Options {
  ConfigOptions config;
  InputOptions inputs;
  std::vector<std::string> labels;
  std::string out, rows, sample, backend;
  std::vector<int> partitions;
  int threads = -1;  // not given
  bool kafka = false, json = false;
};

std::optional<RowsOptions> rows_of(const Options& options) {
  if (options.rows.empty()) {
    if (!options.sample.empty()) throw UsageError("--sample: only with --rows");
    if (!options.labels.empty()) throw UsageError("--label: only with --rows");
    return std::nullopt;
  }
  RowsOptions rows{options.rows, {}, {}};
  if (!options.sample.empty()) rows.sample = parse_rows_sample(options.sample);
  for (const std::string& label : options.labels) rows.labels.push_back(parse_label_rule(label));
  return rows;
}

void run(const Options& options) {
  ConfigOptions settings = options.config;
  if (!options.backend.empty()) settings.overrides.push_back("backend=" + options.backend);
  if (options.threads >= 0) {
    settings.overrides.push_back("threads=" + std::to_string(options.threads));
  }
  const Config config = settings.load();
  ReplayOptions replay_options;
  if (options.kafka == options.inputs.any()) {
    throw UsageError("give either --input SOURCE=FILE or --kafka");
  }
  if (!options.kafka && !options.partitions.empty()) {
    throw UsageError("--partition: only with --kafka");
  }
  options.inputs.apply(replay_options);
  replay_options.kafka = options.kafka;
  replay_options.partitions = options.partitions;
  replay_options.out = options.out;
  replay_options.rows = rows_of(options);
  const ReplaySummary summary = replay(config, replay_options);
  if (options.json) {
    fmt::print("{}\n", to_json(summary));
    return;
  }
  const OutcomeCounts& c = summary.total;
  fmt::print(
      "{} events in {:.1f} s ({:.0f}/s): {} scored, {} applied, {} dead-lettered, {} late, "
      "{} duplicate; {} merchants, state {:016x}, release {}\n",
      c.consumed, summary.seconds, summary.events_per_s, c.scored, c.applied, c.dead_lettered,
      c.late, c.duplicate, summary.merchants, summary.state_hash, summary.release);
}

}  // namespace

void add_replay_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "replay", "Run the engine over files, or over topics again, outputs into a folder");
  options->config.add_to(*command);
  options->inputs.add_to(*command);
  command->add_flag("--kafka", options->kafka,
                    "Read the topics instead, in the order that the journal recorded");
  command->add_option("--partition", options->partitions,
                      "With --kafka: this partition only (repeatable; default: all)");
  command->add_option("--out", options->out, "Folder for the outputs")->required();
  command->add_option("--rows", options->rows,
                      "Also write training rows to this file: .csv, .npy or .parquet");
  command
      ->add_option(
          "--label", options->labels,
          "With --rows: fraud:TIME or default:TIME, what feedback has said of a row at that "
          "age, as fraud:7d (repeatable)")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option(
      "--sample", options->sample,
      "With --rows: N/M of the merchants, each with all its rows, by hash of the id");
  command->add_option("--backend", options->backend, "auto, cpu or cuda");
  command->add_option("--threads", options->threads, "Workers (default: one per core)")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--json", options->json, "Print the summary as JSON");
  command->callback([options] { run(*options); });
}

}  // namespace tidemark
