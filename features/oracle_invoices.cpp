// The oracle's invoices: a list of those that are open, in the order of their issue, and what an
// event's days are by it.
#include <algorithm>

#include "features/oracle_history.hpp"

namespace tidemark {

void OracleHistory::follow_invoice(OracleEvent& event, std::size_t open_max) {
  event.bits &= static_cast<std::uint8_t>(~event_bit_issued);
  event.days_to_pay = 0;
  if (event.source != Source::invoices || event.invoice.second == 0) return;
  const auto found = std::find_if(open.begin(), open.end(), [&](const OracleIssue& issue) {
    return issue.invoice == event.invoice;
  });
  if (event.type == EventType::issued) {
    if (found != open.end()) {
      found->day = event.day;
      return;
    }
    open.push_back({event.invoice, event.day});
    if (open.size() > open_max) {
      open.erase(open.begin());
      forgot = true;
    }
    return;
  }
  if (found == open.end()) return;
  if (event.type == EventType::paid) {
    event.bits |= event_bit_issued;
    event.days_to_pay = std::max<std::int64_t>(0, event.day - found->day);
  }
  if (event.type == EventType::paid || event.type == EventType::cancelled) open.erase(found);
}

std::int64_t oracle_value(const FeatureSpec& spec, const Feature& feature,
                          const OracleEvent& event) {
  switch (spec.measures[static_cast<std::size_t>(feature.measure)].value) {
    case EventValue::days_to_pay:
      return event.days_to_pay;
    case EventValue::days_past_due:
      return std::max<std::int64_t>(0, event.day - event.due_day);
    default:
      return event.amount_minor;
  }
}

std::size_t oracle_open_max(const FeatureSpec& spec, Entity entity) {
  int open = 0;
  for (const Feature& feature : spec.features) {
    if (feature.entity != entity || feature.measure < 0) continue;
    open = std::max(open, spec.measures[static_cast<std::size_t>(feature.measure)].open);
  }
  return static_cast<std::size_t>(open);
}

}  // namespace tidemark
