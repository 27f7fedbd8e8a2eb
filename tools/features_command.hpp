// `tidemark features`: what the columns mean and what they cost in memory, before anything runs.
#pragma once

namespace CLI {
class App;
}

namespace tidemark {

/// Adds the subcommand; it runs when it is parsed and throws UsageError.
void add_features_command(CLI::App& app);

}  // namespace tidemark
