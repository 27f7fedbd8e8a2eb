// Violations: what a verification has found wrong, each with its name and one sentence that says
// topic, partition and offset. The first ones are kept, all are counted, so that a broken log costs
// no memory.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

enum class Violation : std::uint8_t {
  journal_overlap,    // a transaction holds records that an earlier one holds
  journal_gap,        // an input record before the journal's end that no transaction holds
  journal_count,      // a run holds other records than it counts, or a transaction other outcomes
  no_outcome,         // of a record that must have one
  several_outcomes,   // of one record
  surplus_output,     // of a record that is not there, has its output, or is none by a replay
  foreign_output,     // it names no input record of this deployment
  out_of_order,       // outputs stand otherwise than the journal has their records
  wrong_release,      // a decision names another than its transaction
  limit_version,      // of a merchant, not one more than the last
  letter_bytes,       // a letter is not the record that it names
  output_missing,     // a replay gives it
  output_bytes,       // a replay gives others
  state_hash,         // a replay gives another
  journal_not_given,  // a replay gives other outcomes than the journal holds
};
inline constexpr std::size_t violation_count = 15;
std::string_view name_of(Violation violation);

class Violations {
 public:
  static constexpr std::size_t kept_max = 50;
  struct Named {
    Violation violation = Violation::no_outcome;
    std::string text;
  };

  void add(Violation violation, std::string text) {
    if (kept_.size() < kept_max) kept_.push_back({violation, std::move(text)});
    ++counts_[static_cast<std::size_t>(violation)];
    ++count_;
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t count(Violation violation) const {
    return counts_[static_cast<std::size_t>(violation)];
  }
  const std::vector<Named>& kept() const { return kept_; }

 private:
  std::vector<Named> kept_;
  std::array<std::uint64_t, violation_count> counts_{};
  std::uint64_t count_ = 0;
};

}  // namespace tidemark
