// Names of the vocabulary, as users see them in configuration, output and headers.
#include "kernels/data/event.hpp"

#include <array>

namespace tidemark {
namespace {

constexpr std::array<std::string_view, source_count> source_names = {
    "payments", "invoices", "merchants", "signals", "feedback", "control"};

constexpr std::array<std::string_view, event_type_count> type_names = {
    "none",           "payment",         "refund",     "chargeback", "payout",  "issued",
    "paid",           "cancelled",       "overdue",    "disputed",   "profile", "tombstone",
    "signal",         "fraud",           "legitimate", "default",    "repaid",  "appeal",
    "activate_model", "activate_policy", "overlay",    "freeze",     "unfreeze"};

constexpr std::array<std::string_view, 6> outcome_names = {"pending",       "scored", "applied",
                                                           "dead_lettered", "late",   "duplicate"};

constexpr std::array<std::string_view, 22> error_names = {"none",
                                                          "empty_value",
                                                          "oversized",
                                                          "invalid_utf8",
                                                          "invalid_json",
                                                          "not_an_object",
                                                          "missing_field",
                                                          "wrong_type",
                                                          "empty_field",
                                                          "unknown_type",
                                                          "unknown_currency",
                                                          "invalid_amount",
                                                          "negative_amount",
                                                          "amount_precision",
                                                          "amount_overflow",
                                                          "invalid_time",
                                                          "invalid_number",
                                                          "unknown_time_zone",
                                                          "future_timestamp",
                                                          "key_mismatch",
                                                          "no_rate",
                                                          "unsupported_control"};

}  // namespace

std::string_view name_of(Source source) {
  return source_names[static_cast<std::size_t>(source)];
}

std::string_view name_of(EventType type) {
  return type_names[static_cast<std::size_t>(type)];
}

std::string_view name_of(Outcome outcome) {
  return outcome_names[static_cast<std::size_t>(outcome)];
}

std::string_view name_of(RowError error) {
  return error_names[static_cast<std::size_t>(error)];
}

}  // namespace tidemark
