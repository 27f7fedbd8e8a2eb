// `tidemark topics`: shows the topics of a configuration, creates what is missing.
#pragma once

namespace CLI {
class App;
}

namespace tidemark {

/// Adds the subcommand; it runs when it is parsed and throws UsageError or RunError.
void add_topics_command(CLI::App& app);

}  // namespace tidemark
