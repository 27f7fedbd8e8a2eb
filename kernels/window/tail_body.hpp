// The last events of a measure, once, for host and device: an event takes the oldest's place, and
// feedback finds the payment that it names. One thread per tail at a time; no allocation, integers
// until the last step.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/window/fraction.hpp"
#include "kernels/window/window_body.hpp"

namespace tidemark {

/// The place of an entry: 0 is the newest, `count` of the state less one the oldest.
TIDEMARK_HD inline std::uint32_t tail_entry(const Tail& tail, const TailState& state,
                                            std::uint32_t back) {
  return (state.next > back ? state.next : state.next + tail.length) - back - 1;
}

template <typename Entry>
TIDEMARK_HD inline void push_entry(const Tail& tail, unsigned char* record, Entry entry) {
  TailState& state = field_at<TailState>(record, tail.state_offset);
  constexpr std::uint32_t bytes = sizeof(Entry);
  field_at<Entry>(record, tail.entry_offset + bytes * state.next) = entry;
  state.next = state.next + 1 == tail.length ? 0 : state.next + 1;
  if (state.count < tail.length) ++state.count;
}

/// Feedback changes every entry of that id: one may come again behind the duplicate horizon.
TIDEMARK_HD inline void judge_payments(const Tail& tail, unsigned char* record,
                                       std::uint64_t id_hash, bool is_fraud) {
  if (id_hash == 0) return;
  const TailState& state = field_at<TailState>(record, tail.state_offset);
  for (std::uint32_t entry = 0; entry < state.count; ++entry) {
    JudgedPayment& payment = field_at<JudgedPayment>(
        record, tail.entry_offset + static_cast<std::uint32_t>(sizeof(JudgedPayment)) * entry);
    if (payment.id_hash == id_hash) payment.is_fraud = is_fraud ? 1 : 0;
  }
}

TIDEMARK_HD inline void run_tail_step(const WindowPlanView& plan, const TailStep& step,
                                      const WindowEvent& event, const EventPlace& place,
                                      unsigned char* record, std::uint8_t* flags) {
  const Tail& tail = plan.tails[step.tail];
  switch (step.action) {
    case TailAction::add_value: {
      const std::int64_t value = value_of(event, place, step.value);
      if (value > bucket_sum_max) *flags |= record_saturated;
      return push_entry(tail, record, value > bucket_sum_max ? bucket_sum_max : value);
    }
    case TailAction::add_payment: {
      JudgedPayment payment;
      payment.id_hash = event.subject_hash;
      payment.time_ms = event.time_ms;
      return push_entry(tail, record, payment);
    }
    case TailAction::judge_fraud:
    case TailAction::judge_legitimate:
      return judge_payments(tail, record, event.subject_hash,
                            step.action == TailAction::judge_fraud);
  }
}

/// Of the newest amounts. At most tail_amounts_max of them keep a sum below 2^62, as in windows.
TIDEMARK_HD inline Fraction read_tail(const WindowPlanView& plan, const ReadStep& step,
                                      const unsigned char* record) {
  const Tail& tail = plan.tails[step.a];
  const TailState& state = field_at<TailState>(record, tail.state_offset);
  const std::uint32_t count = state.count < step.b ? state.count : step.b;
  std::int64_t sum = 0, least = bucket_sum_max, greatest = 0;
  Wide squares = 0;
  for (std::uint32_t back = 0; back < count; ++back) {
    const std::int64_t amount =
        field_at<std::int64_t>(record, tail.entry_offset + 8 * tail_entry(tail, state, back));
    sum += amount;
    squares += static_cast<Wide>(amount) * static_cast<Wide>(amount);
    least = amount < least ? amount : least;
    greatest = amount > greatest ? amount : greatest;
  }
  if (step.kind == ReadKind::tail_sum) return {static_cast<double>(sum), 1.0};
  if (count == 0) return {};
  switch (step.kind) {
    case ReadKind::tail_mean:
      return {static_cast<double>(sum), static_cast<double>(count)};
    case ReadKind::tail_least:
      return {static_cast<double>(least), 1.0};
    case ReadKind::tail_greatest:
      return {static_cast<double>(greatest), 1.0};
    case ReadKind::tail_deviation:
      return {spread_of(count, sum, squares), static_cast<double>(count)};
    default:
      return {spread_of(count, sum, squares), static_cast<double>(sum)};
  }
}

/// Frauds among the newest payments that are old enough for their feedback.
TIDEMARK_HD inline Fraction read_fraud_share(const WindowPlanView& plan, const ReadStep& step,
                                             const unsigned char* record) {
  const Tail& tail = plan.tails[step.a];
  const MaturedScan& scan = plan.matured_scans[step.c];
  const TailState& state = field_at<TailState>(record, tail.state_offset);
  const std::int64_t newest_ms = field_at<RecordHead>(record, 0).clock_ms - scan.matures_ms;
  const std::uint32_t held = state.count < step.b ? state.count : step.b;
  std::uint32_t matured = 0, frauds = 0;
  for (std::uint32_t back = 0; back < held && matured < scan.most; ++back) {
    const JudgedPayment& payment = field_at<JudgedPayment>(
        record, tail.entry_offset + static_cast<std::uint32_t>(sizeof(JudgedPayment)) *
                                        tail_entry(tail, state, back));
    if (payment.time_ms > newest_ms) continue;
    ++matured;
    frauds += payment.is_fraud;
  }
  return {static_cast<double>(frauds), static_cast<double>(matured)};
}

}  // namespace tidemark
