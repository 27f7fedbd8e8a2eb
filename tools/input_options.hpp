// The options that name input files, the same for every command that goes through them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "stream/pipeline/replay.hpp"

namespace tidemark {

struct InputOptions {
  std::vector<std::string> inputs;
  std::string now;

  void add_to(CLI::App& command);
  bool any() const { return !inputs.empty(); }
  /// Throws UsageError naming the option.
  void apply(ReplayOptions& replay) const;
};

}  // namespace tidemark
