// The bytes: a silent replay of the log in the journal's order, from its start or from a
// checkpoint, whose outputs are held against what was published, and the state's hash against each
// journal record.
#pragma once

#include <vector>

#include "stream/verify/partition_check.hpp"
#include "stream/verify/starting_points.hpp"

namespace tidemark {

/// Adds to each report what differs from its first transaction on, and how many records were
/// compared. A checkpoint is where a partition's replay begins if `at_checkpoint`, or if the start
/// of its log is deleted.
void check_bytes(const Config& config, const TopicShapes& shapes, bool at_checkpoint,
                 std::vector<PartitionReport>& reports);

}  // namespace tidemark
