// Decisions with known numbers and an encoder that names their parts. Shared by the encoder's
// tests.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/currency.hpp"
#include "stream/encode/encoder.hpp"

namespace tidemark::testing {

inline EncoderNames encoder_names() {
  EncoderNames names;
  names.topics = {"payments.v1", "invoices.v1", "merchants.v1",
                  "signals.v1",  "feedback.v1", "control.v1"};
  names.features = {"amount", "payment_count_1h", "inflow_change_1w"};
  names.tiers = {"A", "B"};
  names.release = "9f3a1c20b7d4";
  ReasonTable& table = names.reasons;
  for (std::size_t rule = 0; rule < rule_reason_count; ++rule) {
    table.codes.emplace_back(name_of(static_cast<RuleReason>(rule)));
    table.rule_texts.push_back(parse_reason_text("{value:count} of {typical:count} days", "rule"));
  }
  for (const char* code : {"TICKET_SIZE", "VELOCITY", "INFLOW_TREND"}) {
    table.column_codes.push_back(static_cast<std::uint16_t>(table.codes.size()));
    table.codes.emplace_back(code);
  }
  table.column_texts = {
      parse_reason_text("Amount {value}, \"typically\" {typical}", "a"),
      parse_reason_text("{value:count} payments, {feature} typically {typical:count}", "b"),
      parse_reason_text("Takings {value:change}, typically {typical:percent}", "c")};
  return names;
}

inline Reason reason_of(std::uint16_t code, std::uint16_t feature, float value, float typical,
                        float contribution) {
  Reason reason;
  reason.code = code;
  reason.feature = feature;
  reason.value = value;
  reason.typical = typical;
  reason.contribution = contribution;
  return reason;
}

/// Three reasons, one of each feature.
inline void fill_reasons(std::array<Reason, reasons_max>& reasons, std::uint8_t& count) {
  constexpr auto first = static_cast<std::uint16_t>(rule_reason_count);
  reasons[0] = reason_of(first, 0, 57.16F, 20.0F, 0.92F);
  reasons[1] = reason_of(first + 1, 1, 14.0F, 1.0F, 0.5F);
  reasons[2] = reason_of(first + 2, 2, -0.423F, 0.0F, -0.1F);
  count = 3;
}

inline DecisionContext context_of(std::string_view merchant_id = "t-3156",
                                  std::string_view event_id = "p-19") {
  DecisionContext context;
  context.merchant_id = merchant_id;
  context.event_id = event_id;
  context.event_time_ms = 1'522'540'831'000;
  context.partition = 3;
  context.offset = 1841;
  return context;
}

inline VerdictDecision review_verdict() {
  VerdictDecision verdict;
  verdict.verdict = Verdict::review;
  verdict.score = 0.8312;
  fill_reasons(verdict.reasons, verdict.reason_count);
  return verdict;
}

inline LimitDecision active_limit() {
  LimitDecision limit;
  limit.version = 2;
  limit.status = LimitStatus::active;
  limit.tier = 1;
  limit.price_bps = 720;
  limit.currency = pack_currency("CNY");
  limit.limit_minor = 18'700'000;
  limit.previous_minor = 20'000'050;
  limit.available_minor = 18'700'000;
  limit.event_time_ms = 1'522'540'831'007;
  fill_reasons(limit.reasons, limit.reason_count);
  return limit;
}

inline LimitDecision thin_file() {
  LimitDecision limit = active_limit();
  limit.version = 1;
  limit.status = LimitStatus::thin_file;
  limit.tier = 0xFF;
  limit.price_bps = 0;
  limit.limit_minor = limit.previous_minor = limit.available_minor = 0;
  limit.reasons[0] = reason_of(static_cast<std::uint16_t>(RuleReason::history_short), no_feature,
                               12.0F, 60.0F, 0.8F);
  return limit;
}

inline AlertDecision fall_alert() {
  AlertDecision alert;
  alert.sequence = 7;
  alert.tier = AlertTier::yellow;
  alert.event_time_ms = 1'522'540'800'000;
  alert.numbers = {5000, 2999.5, 1000, -0.4001, 0.0 / 0.0};
  alert.baseline = 5200;
  alert.readings = 3;
  return alert;
}

}  // namespace tidemark::testing
