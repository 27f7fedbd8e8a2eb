// `tidemark score`: one forest over a matrix, nothing else. What data scientists compare with their
// trainer, and what benchmarks time.
#pragma once

#include <CLI/CLI.hpp>

namespace tidemark {

void add_score_command(CLI::App& app);

}  // namespace tidemark
