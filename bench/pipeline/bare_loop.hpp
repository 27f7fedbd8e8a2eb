// What the broker and the client library allow: consume, produce one record of the size of an
// allow verdict for each, commit offsets and outputs together. No parsing, no state.
#pragma once

#include <cstdint>

#include "stream/kafka/settings.hpp"

namespace tidemark {

/// Reads `events` records of the keyed topics and returns the seconds from the first record
/// polled to the last commit. Throws RunError when a commit fails.
double run_bare_loop(const KafkaSettings& settings, std::uint64_t events,
                     std::size_t transaction_events);

}  // namespace tidemark
