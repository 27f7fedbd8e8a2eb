// The options that every command with a configuration has: --config and --set.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "stream/pipeline/stages.hpp"

namespace tidemark {

struct ConfigOptions {
  std::string file;
  std::vector<std::string> overrides;

  void add_to(CLI::App& command) {
    command.add_option("--config", file, "Configuration (YAML)")->required();
    command.add_option("--set", overrides, "A setting: path.to.key=value (repeatable)")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  Config load() const { return load_fitted_config(file, overrides); }
};

}  // namespace tidemark
