// Recovery: a lane's state from the log alone. Reads the partition's journal from its start and
// repeats the recorded order over the inputs in silence, then compares the state hash with the one
// that the last transaction wrote down. Publishes nothing.
#pragma once

#include <memory>

#include "stream/kafka/consumer.hpp"
#include "stream/kafka/reader.hpp"
#include "stream/pipeline/engine.hpp"
#include "stream/pipeline/intake.hpp"

namespace tidemark {

struct Recovered {
  std::unique_ptr<Lane> lane;
  SourceOffsets next{};            // where each source goes on; offset_none: at the log's beginning
  std::uint64_t transactions = 0;  // journal records repeated
  std::uint64_t rows = 0;
};

/// `committed`: the group's offsets of the partition. Throws RunError when journal, log and
/// committed offsets do not fit together, or when the repeated state has another hash.
Recovered recover_lane(const Config& config, Engine& engine, Intake& intake, ReaderClient& client,
                       int partition, const SourceOffsets& committed);

}  // namespace tidemark
