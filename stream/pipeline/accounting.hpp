// The accounting identity (promise P3), per partition and source: every record consumed has exactly
// one outcome. Counted by the engine, checked at every commit.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "kernels/data/event.hpp"

namespace tidemark {

struct OutcomeCounts {
  std::uint64_t consumed = 0, scored = 0, applied = 0, dead_lettered = 0, late = 0, duplicate = 0;

  void add(Outcome outcome) {
    switch (outcome) {
      case Outcome::pending:
        break;  // left unsettled: the identity below will not hold
      case Outcome::scored:
        ++scored;
        break;
      case Outcome::applied:
        ++applied;
        break;
      case Outcome::dead_lettered:
        ++dead_lettered;
        break;
      case Outcome::late:
        ++late;
        break;
      case Outcome::duplicate:
        ++duplicate;
        break;
    }
  }
  void add(const OutcomeCounts& other) {
    consumed += other.consumed;
    scored += other.scored;
    applied += other.applied;
    dead_lettered += other.dead_lettered;
    late += other.late;
    duplicate += other.duplicate;
  }
  bool balanced() const { return consumed == scored + applied + dead_lettered + late + duplicate; }
};

using SourceCounts = std::array<OutcomeCounts, source_count>;

/// Throws RunError when a source of `partition` has records without exactly one outcome.
void check_identity(const SourceCounts& counts, int partition);

/// `"consumed":..,"scored":..,...,"sources":{"payments":{..},...}`: totals, then each source.
std::string counts_json(const SourceCounts& counts);

}  // namespace tidemark
