// Decision, the fourth noun: what the policy made of one event, as fixed-size rows. Numbers only;
// stream/encode turns codes and indices into the JSON that consumers read.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tidemark {

inline constexpr int reasons_max = 4;

/// One reason. `feature` indexes the plan's columns; `code` the release's reason table.
struct Reason {
  std::uint16_t code = 0;
  std::uint16_t feature = 0;
  float value = 0;         // of this merchant, NaN = missing
  float typical = 0;       // of the reference row
  float contribution = 0;  // to the raw score; > 0 is the adverse direction
};

enum class Verdict : std::uint8_t { allow, review, block };

/// One for every scored event. `row` is the event's row of its batch.
struct VerdictDecision {
  std::uint32_t row = 0;
  Verdict verdict = Verdict::allow;
  std::uint8_t reason_count = 0;
  double score = 0;  // probability, after the link
  std::array<Reason, reasons_max> reasons;
};

enum class LimitStatus : std::uint8_t { none, thin_file, active, frozen, suspended };

/// Published when a merchant's limit changes. Amounts in minor units of `currency`.
struct LimitDecision {
  std::uint32_t row = 0;  // the event that caused it; of a sweep: the one that moved the tick
  std::uint32_t slot = 0;
  std::int64_t event_time_ms = 0;  // of a sweep: the tick
  std::uint32_t version = 0;
  LimitStatus status = LimitStatus::none;
  std::uint8_t tier = 0;  // index into the policy's tiers
  std::uint8_t reason_count = 0;
  std::int32_t price_bps = 0;
  std::uint32_t currency = 0;
  std::int64_t limit_minor = 0, previous_minor = 0, available_minor = 0;
  std::array<Reason, reasons_max> reasons;
};

enum class AlertRule : std::uint8_t { two_week_fall };
enum class AlertState : std::uint8_t { opened, updated, acknowledged, closed };
enum class AlertTier : std::uint8_t { red, yellow, blue };

/// Published when an alert opens, worsens or closes. `numbers` are the rule's own: for
/// two_week_fall the takings of the last three full weeks, oldest first, and the two changes.
struct AlertDecision {
  std::uint32_t row = 0;
  std::uint32_t slot = 0;
  std::int64_t event_time_ms = 0;
  std::uint32_t sequence = 0;  // of the merchant's alerts of this rule: 1, 2, ...
  AlertRule rule = AlertRule::two_week_fall;
  AlertState state = AlertState::opened;
  AlertTier tier = AlertTier::blue;
  std::array<double, 5> numbers{};
  double baseline = 0;        // mean of the 8 full weeks before the two that fell
  std::uint8_t readings = 0;  // that hold: 1 week on week, 2 against the baseline
};

/// What the decisions of the past left behind in a merchant; part of the state, hashed with it.
/// Every byte is meaningful or zero: it is compared and hashed as memory.
struct DecisionState {
  std::int64_t limit_minor = 0;
  std::uint32_t limit_version = 0;
  std::uint32_t alert_sequence = 0;
  std::int32_t alert_week = 0;  // the last week in which the rule of the open alert held
  std::int32_t price_bps = 0;
  LimitStatus status = LimitStatus::none;
  std::uint8_t tier = 0;
  std::uint8_t alert_open = 0;  // 0 none, else 1 + AlertTier of the open alert
  std::uint8_t frozen = 0;      // by control event
  std::uint32_t currency = 0;
  std::int64_t score_bits = 0;      // of the credit score behind the published limit
  std::int64_t reference_bits = 0;  // takings before the fall of the open alert, as a double
  std::int64_t clock_ms = 0;        // largest event time decided so far
};
static_assert(sizeof(DecisionState) == 56);

/// The decisions of one engine batch, in sequence order within each kind.
struct DecisionBatch {
  std::vector<VerdictDecision> verdicts;
  std::vector<LimitDecision> limits;
  std::vector<AlertDecision> alerts;
  void clear() {
    verdicts.clear();
    limits.clear();
    alerts.clear();
  }
};

}  // namespace tidemark
