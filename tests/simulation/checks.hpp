// What must hold in a simulated run, looked up in the simulated logs themselves: no class of the
// product that reads topics is asked, except for `tidemark verify`, which is one of the checks.
#pragma once

#include <string>
#include <string_view>

#include "tests/simulation/world.hpp"

namespace tidemark::simulation {

/// Of every object that is about to be stored: a manifest is of what the group has committed and
/// the journal holds, and a recovery from it misses nothing.
void check_manifest(const std::string& name, std::string_view bytes);

/// Every input record that the group has committed has exactly one outcome, no other has one, and
/// outcomes of a merchant stand in order; with delivery at least once repeats of the same bytes are
/// left out of it.
void check_outcomes(World& world);

/// The states of each partition that are kept can be restored.
void check_checkpoints(World& world);

/// Whether all that upstream has written is committed.
bool all_decided(World& world);

/// verify, with the bytes and state hashes of a replay in the journal's order. Throws Failure with
/// the first findings.
void check_by_verify(World& world);

}  // namespace tidemark::simulation
