// What the oracle remembers: lists of events. Shared by its two sources, not for other folders.
#pragma once

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "features/oracle.hpp"
#include "kernels/window/read_body.hpp"

namespace tidemark {

/// Buckets are numbered so that later ones have larger numbers; only differences matter. `day` is
/// the local day.
std::int64_t oracle_bucket(Tier tier, std::int64_t time_ms, const absl::CivilDay& day);

/// An accepted event, with the calendar of the zone in force when it came.
struct OracleEvent {
  std::string event_id;
  Source source = Source::payments;
  EventType type = EventType::none;
  std::int64_t time_ms = 0;
  std::int64_t amount_minor = 0;
  std::uint64_t payer_hash = 0;
  std::uint64_t subject_hash = 0;  // of feedback the event that it speaks of, else its own
  absl::CivilDay day;
  std::uint8_t bits = 0;
  std::pair<std::string, std::uint64_t> invoice;  // whose, and which; 0: none
  std::int64_t due_ms = 0;                        // where it has event_bit_due
  absl::CivilDay due_day;
  std::int64_t days_to_pay = 0;  // with event_bit_issued
};

/// An invoice that was issued and is neither paid nor cancelled.
struct OracleIssue {
  std::pair<std::string, std::uint64_t> invoice;
  absl::CivilDay day;
};

/// All that a merchant did, or a payer.
struct OracleHistory {
  std::vector<OracleEvent> events;
  absl::TimeZone zone;
  CurrencyCode first_currency = 0, profile_currency = 0;
  std::string industry, region;  // of the profile
  std::int64_t clock_ms = 0;
  absl::CivilDay clock_day;
  std::vector<OracleIssue> open;  // in the order of their issue
  bool forgot = false;            // there were more than are held
  CurrencyCode currency() const {
    return profile_currency != 0 ? profile_currency : first_currency;
  }
  /// Opens or closes the event's invoice, and notes how long it was open.
  void follow_invoice(OracleEvent& event, std::size_t open_max);
  void take(OracleEvent event, std::size_t open_max) {
    follow_invoice(event, open_max);
    const bool first = events.empty();
    clock_ms = first ? event.time_ms : std::max(clock_ms, event.time_ms);
    clock_day = first ? event.day : std::max(clock_day, event.day);
    events.push_back(std::move(event));
  }
};

/// The moment a history is read at, and the event that it is read for, if any.
struct OracleReading {
  const OracleHistory* history = nullptr;
  std::int64_t clock_ms = 0;
  absl::CivilDay clock_day;
  const OracleEvent* event = nullptr;
};

/// Whether the event is one of the feature's measure, amounts having so many digits.
bool oracle_measures(const FeatureSpec& spec, const Feature& feature, const OracleEvent& event,
                     int exponent);

/// What the feature's measure takes of an event that is one of it.
std::int64_t oracle_value(const FeatureSpec& spec, const Feature& feature,
                          const OracleEvent& event);
/// Invoices that a merchant or payer holds: as many as the measure in use that asks for most.
std::size_t oracle_open_max(const FeatureSpec& spec, Entity entity);

/// A number of the last events of a measure.
Fraction oracle_tail_value(const FeatureSpec& spec, const Feature& feature, const OracleReading& at,
                           int exponent);

/// What the newest line of a table says of the history's industry, as of the reading's day.
Fraction oracle_table_value(const FeatureSpec& spec, const Feature& feature,
                            const OracleReading& at);

}  // namespace tidemark
