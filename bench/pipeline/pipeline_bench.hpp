// The pipeline end to end, from a file and through a real broker, beside a bare loop that consumes
// and produces the same records with transactions of the same size. Contenders take turns in one
// run, because a machine shared with a broker is never twice the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "stream/pipeline/config.hpp"

namespace tidemark {

struct PipelineBenchOptions {
  std::filesystem::path payments;   // JSON Lines
  std::filesystem::path merchants;  // their profiles, or empty
  std::filesystem::path work;       // scratch folder for replay's outputs
  int runs = 3;
  bool kafka = true;
  int partitions = 8;
  std::size_t transaction_events = 10'000;
};

/// Rates in events/s, one a run.
struct PipelineBenchResult {
  std::uint64_t events = 0;
  std::vector<double> replay, bare, serve, at_least_once;
};

double median(std::vector<double> values);

/// Checks first that replay accounts for every line. Throws RunError when any contender loses one.
PipelineBenchResult bench_pipeline(const Config& config, const PipelineBenchOptions& options);

/// A table for people, or one JSON object.
std::string to_table(const PipelineBenchResult& result);
std::string to_json(const PipelineBenchResult& result);

}  // namespace tidemark
