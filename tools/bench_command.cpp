// `tidemark bench`: the benchmarks of bench/, each against its contenders in the same run.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "bench/checkpoint/checkpoint_bench.hpp"
#include "bench/forest/forest_bench.hpp"
#include "bench/pipeline/pipeline_bench.hpp"
#include "bench/windows/windows_bench.hpp"
#include "kernels/forest/bit_kernel.hpp"
#include "kernels/runtime/backend.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"
#include "tools/npy.hpp"

namespace tidemark {
namespace {

void add_forest_bench(CLI::App& bench) {
  struct Options {
    ForestBenchOptions bench;
    std::string model, rows, backend = "cpu", isa;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* forest = bench.add_subcommand(
      "forest", "One forest by batch size (tools/bench forest: beside other engines)");
  forest->add_option("--model", options->model, "LightGBM text, XGBoost JSON or UBJSON")
      ->required()
      ->check(CLI::ExistingFile);
  forest->add_option("--rows", options->rows, ".npy, float32, rows x features")
      ->required()
      ->check(CLI::ExistingFile);
  forest->add_option("--batches", options->bench.batches, "Rows of a call")
      ->delimiter(',')
      ->check(CLI::Range(1, 4'194'304));
  forest->add_option("--threads", options->bench.threads, "Threads")->check(CLI::Range(1, 1024));
  forest->add_option("--seconds", options->bench.seconds, "Of calls for each batch size")
      ->check(CLI::Range(0.001, 600.0));
  forest->add_option("--backend", options->backend, "auto, cpu or cuda")->capture_default_str();
  forest->add_option("--isa", options->isa, "No wider instruction set than this, e.g. AVX2");
  forest->add_flag("--json", options->json, "Print one JSON object");
  forest->callback([options] {
    options->bench.model = options->model;
    options->bench.backend = resolve_backend(options->backend);
    if (!options->isa.empty()) limit_bit_kernel(options->isa);
    const NpyMatrix rows(options->rows, "--rows");
    const ForestBenchResult result = bench_forest(options->bench, rows.view());
    fmt::print("{}{}", options->json ? to_json(result) : to_table(result),
               options->json ? "\n" : "");
  });
}

void add_windows_bench(CLI::App& bench) {
  struct Options {
    WindowsBenchOptions bench;
    std::string spec = "examples/quickstart/features.yaml";
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* windows = bench.add_subcommand(
      "windows", "Update and read-out of a spec's windows from memory, by spread over merchants");
  windows->add_option("--spec", options->spec, "The feature spec")
      ->capture_default_str()
      ->check(CLI::ExistingFile);
  windows->add_option("--events", options->bench.events, "Timed events of a run")
      ->check(CLI::Range(1'000, 100'000'000));
  windows->add_option("--merchants", options->bench.merchants, "Merchants")
      ->check(CLI::Range(1, 10'000'000));
  windows->add_option("--batch", options->bench.batch, "Events of a batch")
      ->check(CLI::Range(1, 1'000'000));
  windows->add_option("--threads", options->bench.threads, "Threads")->check(CLI::Range(1, 1024));
  windows->add_option("--runs", options->bench.runs, "Runs of each spread, interleaved")
      ->check(CLI::Range(1, 100));
  windows->add_flag("--json", options->json, "Print one JSON object");
  windows->callback([options] {
    options->bench.spec = options->spec;
    const WindowsBenchResult result = bench_windows(options->bench);
    fmt::print("{}{}", options->json ? to_json(result) : to_table(result),
               options->json ? "\n" : "");
  });
}

void add_checkpoint_bench(CLI::App& bench) {
  struct Options {
    CheckpointBenchOptions bench;
    std::string spec = "examples/quickstart/features.yaml", work = "out/bench-checkpoint";
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* checkpoint = bench.add_subcommand(
      "checkpoint", "What checkpoints cost a running stream, and how fast a state comes back");
  checkpoint->add_option("--spec", options->spec, "The feature spec")
      ->capture_default_str()
      ->check(CLI::ExistingFile);
  checkpoint->add_option("--work", options->work, "Folder of its own for the checkpoints")
      ->capture_default_str();
  checkpoint->add_option("--brokers", options->bench.brokers,
                         "With --topic: bootstrap servers of a store that is a topic");
  checkpoint->add_option("--topic", options->bench.topic, "Topic of its own, in place of a folder");
  checkpoint->add_option("--merchants", options->bench.merchants, "Merchants of the partition")
      ->check(CLI::Range(1, 10'000'000));
  checkpoint->add_option("--dirty", options->bench.dirty, "That change before the second one")
      ->check(CLI::Range(1, 10'000'000));
  checkpoint->add_option("--batch", options->bench.batch, "Events of a batch")
      ->check(CLI::Range(1, 1'000'000));
  checkpoint->add_option("--threads", options->bench.threads, "Threads")
      ->check(CLI::Range(1, 1024));
  checkpoint->add_flag("--json", options->json, "Print one JSON object");
  checkpoint->callback([options] {
    options->bench.spec = options->spec;
    options->bench.work = options->work;
    const CheckpointBenchResult result = bench_checkpoint(options->bench);
    fmt::print("{}{}", options->json ? to_json(result) : to_table(result),
               options->json ? "\n" : "");
  });
}

}  // namespace

void add_bench_command(CLI::App& app) {
  struct Options {
    ConfigOptions config;
    PipelineBenchOptions bench;
    std::string payments, merchants, work = "out/bench";
    bool no_kafka = false, json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* bench = app.add_subcommand("bench", "Benchmarks against contenders in the same run");
  bench->require_subcommand(1);
  add_forest_bench(*bench);
  add_windows_bench(*bench);
  add_checkpoint_bench(*bench);
  CLI::App* pipeline =
      bench->add_subcommand("pipeline", "Replay and serve beside a bare consume-and-produce loop");
  options->config.add_to(*pipeline);
  pipeline->add_option("--payments", options->payments, "JSON Lines of payments")
      ->required()
      ->check(CLI::ExistingFile);
  pipeline->add_option("--merchants", options->merchants, "JSON Lines of their profiles")
      ->check(CLI::ExistingFile);
  pipeline->add_option("--work", options->work, "Scratch folder");
  pipeline->add_option("--runs", options->bench.runs, "Runs of each contender, interleaved")
      ->check(CLI::Range(1, 100));
  pipeline->add_option("--partitions", options->bench.partitions, "Partitions of the topics")
      ->check(CLI::Range(1, 1000));
  pipeline
      ->add_option("--transaction-events", options->bench.transaction_events,
                   "Events of one transaction, for all contenders")
      ->check(CLI::Range(1, 1'000'000));
  pipeline->add_flag("--no-kafka", options->no_kafka, "Replay only");
  pipeline->add_flag("--json", options->json, "Print one JSON object");
  pipeline->callback([options] {
    options->bench.payments = options->payments;
    options->bench.merchants = options->merchants;
    options->bench.work = options->work;
    options->bench.kafka = !options->no_kafka;
    const PipelineBenchResult result = bench_pipeline(options->config.load(), options->bench);
    fmt::print("{}{}", options->json ? to_json(result) : to_table(result),
               options->json ? "\n" : "");
  });
}

}  // namespace tidemark
