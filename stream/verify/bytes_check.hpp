// The bytes: a silent replay of the whole log in the journal's order, whose outputs are held
// against what was published, and the state's hash against each journal record.
#pragma once

#include <vector>

#include "stream/verify/partition_check.hpp"

namespace tidemark {

/// Adds to each report what differs, and how many records were compared.
void check_bytes(const Config& config, const TopicShapes& shapes,
                 std::vector<PartitionReport>& reports);

}  // namespace tidemark
