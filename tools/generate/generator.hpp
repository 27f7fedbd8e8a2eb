// Generator: a whole run to files, one a source, each in the order of arrival. Same options, same
// bytes, on every machine. One thread; memory holds the events of a day and what follows from them.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/data/event.hpp"
#include "tools/generate/scene.hpp"

namespace tidemark {

struct GenerateSummary {
  std::array<std::uint64_t, source_count> lines{};  // good ones, by source
  std::uint64_t bad_lines = 0;
};

/// Writes payments.jsonl, invoices.jsonl, merchants.jsonl, signals.jsonl and feedback.jsonl to
/// `options.out`, which is made where it is missing. Throws RunError when that fails.
GenerateSummary generate(const GenerateOptions& options);

}  // namespace tidemark
