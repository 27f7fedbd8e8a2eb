// `tidemark checkpoint`: what a store holds, whether it can be believed, and a copy of it
// elsewhere. Works beside a running instance: it reads only, and writes only to the store of a
// copy.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/compaction.hpp"
#include "stream/hops/hop_server.hpp"
#include "stream/hops/payer_checkpoints.hpp"
#include "stream/pipeline/checkpointer.hpp"
#include "stream/pipeline/engine.hpp"
#include "stream/pipeline/restore.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"

namespace tidemark {
namespace {

struct Options {
  ConfigOptions config;
  int partition = -1;            // all
  std::uint64_t generation = 0;  // the newest
  std::string to, to_topic;
  std::string stage = "merchants";
  bool json = false, all = false;
};

/// The store that a configuration names, and what of it an option asks for.
class Shelf {
 public:
  explicit Shelf(const Options& options) : options_(options), config_(options.config.load()) {
    store_ = open_checkpoint_store(config_, config_.kafka);
    if (!store_) {
      throw UsageError(config_.file + ": checkpoint: neither directory nor topic names a store");
    }
    group_ = of_payers() ? hop_settings(config_, Stage::payers).group_id : config_.kafka.group_id;
  }

  const Config& config() const { return config_; }
  bool of_payers() const { return options_.stage == name_of(Stage::payers); }
  const CheckpointStore& store() const { return *store_; }
  std::string folder(int partition) const { return checkpoint_folder(group_, partition); }
  std::vector<int> partitions() const {
    if (options_.partition >= 0) return {options_.partition};
    return checkpoint_partitions(*store_, group_);
  }
  /// Those of a partition that are asked for: all, one generation, or the newest that can be read.
  std::vector<StoredManifest> manifests(int partition, bool all) const {
    std::vector<StoredManifest> chosen;
    for (StoredManifest& stored : read_manifests(*store_, folder(partition))) {
      if (options_.generation != 0 && stored.manifest.generation != options_.generation) continue;
      if (!all && !stored.error.empty()) continue;
      chosen.push_back(std::move(stored));
      if (!all) break;
    }
    if (chosen.empty() && !all) {
      throw RunError(fmt::format("{} has no such checkpoint of partition {} of group {}",
                                 store_->where(), partition, group_));
    }
    return chosen;
  }

 private:
  const Options& options_;
  Config config_;
  std::unique_ptr<CheckpointStore> store_;
  std::string group_;
};

std::string time_text(std::int64_t at_ms) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(at_ms / 1000)));
}

void list(const Options& options) {
  const Shelf shelf(options);
  if (!options.json) {
    fmt::print("{:>9} {:>10} {:>8}  {:<20} {:>9} {:>6} {:>11} {:>12}  {}\n", "partition",
               "generation", "revision", "made", "keys", "chunks", "bytes", "journal", "state");
  }
  std::string json;
  for (const int partition : shelf.partitions()) {
    for (const StoredManifest& stored : shelf.manifests(partition, true)) {
      const CheckpointManifest& m = stored.manifest;
      if (options.json) {
        // File names hold nothing that JSON would escape.
        json += fmt::format("{}{{\"partition\":{},\"file\":\"{}\",\"readable\":{}",
                            json.empty() ? "" : ",", partition, stored.name, stored.error.empty());
        if (stored.error.empty()) {
          json += fmt::format(
              ",\"generation\":{},\"revision\":{},\"made_at_ms\":{},\"merchants\":{},\"chunks\":{},"
              "\"bytes\":{},\"journal_next\":{},\"state_hash\":\"{:016x}\"",
              m.generation, m.revision, m.made_at_ms, m.merchants, m.chunks.size(), m.bytes(),
              m.journal_next, m.state_hash);
        }
        json += "}";
      } else if (stored.error.empty()) {
        fmt::print("{:>9} {:>10} {:>8}  {:<20} {:>9} {:>6} {:>11} {:>12}  {:016x}\n", partition,
                   m.generation, m.revision, time_text(m.made_at_ms), m.merchants, m.chunks.size(),
                   m.bytes(), m.journal_next, m.state_hash);
      } else {
        fmt::print("{:>9} {}\n", partition, stored.error);
      }
    }
  }
  if (options.json) fmt::print("{{\"checkpoints\":[{}]}}\n", json);
}

void show(const Options& options) {
  const Shelf shelf(options);
  for (const int partition : shelf.partitions()) {
    fmt::print("{}", encode_manifest(shelf.manifests(partition, false).front().manifest));
  }
}

/// Why a checkpoint is not good, or nothing. Whether a group has come so far is not the store's to
/// say.
std::string fault_of(const CheckpointManifest& manifest, const Shelf& shelf,
                     const std::shared_ptr<const FeaturePlan>& plan, ThreadPool& pool) {
  const Config& config = shelf.config();
  const std::string folder = shelf.folder(manifest.partition);
  std::array<std::int64_t, source_count> anything;
  anything.fill(INT64_MAX);
  const std::string why = shelf.of_payers() ? unfit_for_payers(manifest, config, *plan, INT64_MAX)
                                            : unfit(manifest, config, *plan, anything);
  if (!why.empty()) return why;
  try {
    if (shelf.of_payers()) {
      restore_payers(shelf.store(), folder, manifest, config, plan, pool);
    } else {
      const auto make = [&] { return make_lane(config, plan, manifest.partition); };
      restore_lane(shelf.store(), folder, manifest, make, pool);
    }
  } catch (const RunError& error) {
    return error.what();
  }
  return {};
}

void verify(const Options& options) {
  const Shelf shelf(options);
  const auto plan = FeaturePlan::load(shelf.config().features_spec);
  ThreadPool pool(shelf.config().threads);
  std::size_t good = 0, bad = 0;
  for (const int partition : shelf.partitions()) {
    for (const StoredManifest& stored : shelf.manifests(partition, options.all)) {
      std::string why = stored.error;
      if (why.empty()) why = fault_of(stored.manifest, shelf, plan, pool);
      ++(why.empty() ? good : bad);
      fmt::print("{}: {}\n", stored.name, why.empty() ? "good" : why);
    }
  }
  std::fflush(stdout);
  if (bad > 0) throw RunError(fmt::format("{} of {} checkpoints are not good", bad, good + bad));
}

void copy(const Options& options) {
  const Shelf shelf(options);
  if (options.to.empty() == options.to_topic.empty()) {
    throw UsageError("checkpoint copy: one of --to and --to-topic is required");
  }
  const auto to = options.to.empty() ? open_topic_store(shelf.config().kafka, options.to_topic)
                                     : open_directory_store(options.to);
  for (const int partition : shelf.partitions()) {
    const StoredManifest stored = shelf.manifests(partition, false).front();
    const std::string folder = shelf.folder(partition);
    for (const ChunkRef& chunk : stored.manifest.chunks) {
      const std::string name = folder + "/" + chunk.name;
      read_chunk(shelf.store(), folder, chunk);  // a broken one is not worth a copy
      to->put(name, shelf.store().get(name));
    }
    to->put(stored.name, encode_manifest(stored.manifest));
    fmt::print("{}: {} chunks, {} bytes\n", stored.name, stored.manifest.chunks.size(),
               stored.manifest.bytes());
  }
}

CLI::App* add(CLI::App& command, const char* name, const char* what,
              const std::shared_ptr<Options>& options, void (*run)(const Options&)) {
  CLI::App* sub = command.add_subcommand(name, what);
  options->config.add_to(*sub);
  sub->add_option("--partition", options->partition, "Of this partition only")
      ->check(CLI::Range(0, 1'000'000));
  sub->add_option("--stage", options->stage, "Whose state it is")
      ->check(CLI::IsMember({"merchants", "payers"}));
  sub->callback([options, run] { run(*options); });
  return sub;
}

}  // namespace

void add_checkpoint_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("checkpoint", "List, show, verify and copy the checkpoints of a store");
  command->require_subcommand(1);
  add(*command, "list", "All checkpoints of the group", options, list)
      ->add_flag("--json", options->json, "One JSON object");
  const auto with_generation = [&](CLI::App* sub) {
    sub->add_option("--generation", options->generation, "This one in place of the newest");
    return sub;
  };
  with_generation(add(*command, "show", "A checkpoint's manifest (JSON)", options, show));
  with_generation(add(*command, "verify",
                      "Restore the newest of each partition and compare its "
                      "state hash; exit status 1 if one is not good",
                      options, verify))
      ->add_flag("--all", options->all, "Not the newest alone");
  CLI::App* const to = with_generation(
      add(*command, "copy", "The newest of each partition to another store", options, copy));
  to->add_option("--to", options->to, "Directory");
  to->add_option("--to-topic", options->to_topic, "Compacted topic of the same brokers");
}

}  // namespace tidemark
