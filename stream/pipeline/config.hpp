// The configuration of a run: one YAML file plus `--set path.to.key=value`, read once at start and
// never changed. Knows every setting, its range and its default; opens nothing that it names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "stream/kafka/settings.hpp"

namespace tidemark {

/// What `serve` consists of where a spec has features of payers: see stream/hops.
enum class Stage : std::uint8_t { rekey, payers, merchants };

struct Config {
  std::string file;  // where it was read from, for messages

  std::filesystem::path features_spec;                  // the feature spec (YAML)
  std::filesystem::path features_rates;                 // exchange rates, where there is no bundle
  std::filesystem::path bundle;                         // the model bundle's directory
  std::vector<std::filesystem::path> previous_bundles;  // of releases that the journal still names

  std::string backend = "auto";        // auto, cpu, cuda
  int threads = 0;                     // workers; 0 = one per core
  std::string profile = "throughput";  // latency or throughput
  std::size_t batch_events_max = 0;    // rows of one engine batch
  std::size_t transaction_events_max = 0;
  int transaction_ms_max = 0;
  int merge_idle_ms = 0;

  std::uint32_t merchants_max = 0;     // per partition
  std::uint32_t payers_max = 0;        // of one order of events
  std::uint64_t dedup_events_max = 0;  // ids remembered per partition
  std::size_t value_bytes_max = 0;     // a larger input value is a dead letter

  std::string zone;  // of merchants without a profile, and of payers
  std::int64_t future_tolerance_ms = 0;
  std::int64_t dedup_horizon_ms = 0;
  std::int64_t sweep_interval_ms = 0;  // 0 = no sweeps

  // A partition with more dead letters than this among so many of its last records stops `serve`.
  std::uint64_t dead_letters_max = 0, dead_letters_of_last = 0;

  std::filesystem::path checkpoint_directory;  // without it and kafka.checkpoint_topic: none
  int checkpoint_interval_s = 0;
  int checkpoint_keep = 0;  // states to go back to
  int http_port = 0;        // 0 = no listener
  std::string http_host;

  std::size_t standby_bytes_max = 0;  // of states that are followed; 0 = no standby

  /// Their topics' names, for fit_stages().
  std::string by_payer_topic, enriched_topic;
  /// Which of them this process runs, in the order of the flow. None named: see fit_stages().
  std::vector<Stage> stages;

  KafkaSettings kafka;
};

/// Reads `file` and applies `overrides` ("path.to.key=value"). Relative paths inside it are taken
/// from the working directory. Throws UsageError naming the file and line, or the option.
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides);

}  // namespace tidemark
