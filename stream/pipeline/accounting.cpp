// See accounting.hpp.
#include "stream/pipeline/accounting.hpp"

#include <fmt/format.h>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

std::string one_json(const OutcomeCounts& c) {
  return fmt::format(
      R"("consumed":{},"scored":{},"applied":{},"dead_lettered":{},"late":{},"duplicate":{})",
      c.consumed, c.scored, c.applied, c.dead_lettered, c.late, c.duplicate);
}

}  // namespace

void check_identity(const SourceCounts& counts, int partition) {
  for (std::size_t s = 0; s < source_count; ++s) {
    if (counts[s].balanced()) continue;
    throw RunError(fmt::format(
        "accounting identity broken in partition {} of {}: {{{}}}; nothing was committed, please "
        "report this as a defect",
        partition, name_of(static_cast<Source>(s)), one_json(counts[s])));
  }
}

std::string counts_json(const SourceCounts& counts) {
  OutcomeCounts total;
  for (const OutcomeCounts& source : counts) total.add(source);
  std::string json = one_json(total) + ",\"sources\":{";
  for (std::size_t s = 0; s < source_count; ++s) {
    json += fmt::format("{}\"{}\":{{{}}}", s == 0 ? "" : ",", name_of(static_cast<Source>(s)),
                        one_json(counts[s]));
  }
  return json + "}";
}

}  // namespace tidemark
