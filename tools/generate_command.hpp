// `tidemark generate`: the command line of the generator.
#pragma once

#include <CLI/CLI.hpp>

namespace tidemark {

void add_generate_command(CLI::App& app);

}  // namespace tidemark
