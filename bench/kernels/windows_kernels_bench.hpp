// Benchmarks of the window kernel, registered beside those of the forests.
#pragma once

#include <cstddef>
#include <string>

namespace tidemark {

/// `spec`: the features' YAML; batches have at most `rows_max` rows.
void add_window_benchmarks(const std::string& spec, std::size_t rows_max);

}  // namespace tidemark
