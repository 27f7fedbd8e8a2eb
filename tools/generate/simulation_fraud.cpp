// Simulation: four kinds of planted fraud. Most of their events are reported days later by a
// feedback event that names them; some never are, as in life. No expression draws twice, because
// compilers choose the order of arguments.
#include <algorithm>

#include "tools/generate/simulation.hpp"

namespace tidemark {
namespace {

constexpr double fraud_days_share = 0.002;  // of the days of a merchant of mean size
constexpr double reported_share = 0.9;
constexpr std::int64_t hour_s = 3600;

}  // namespace

void Simulation::label_fraud(const GeneratedEvent& event) {
  if (!random_.chance(reported_share)) return;
  const std::int64_t after = random_.between(2 * day_s, 12 * day_s);
  GeneratedEvent label = make(Source::feedback, EventType::fraud, event.time_s + after);
  label.number = ++other_number_;
  label.ref_number = event.number;
  emit(label);
}

void Simulation::plant_fraud(double level) {
  // Busy merchants meet more of it, but less than in proportion.
  const double busy = std::min(4.0, 0.5 + level / (2 * options_.events_per_day + 1));
  if (!random_.chance(fraud_days_share * busy)) return;
  switch (random_.below(4)) {
    case 0:
      card_testing();
      break;
    case 1:
      ticket_jump();
      break;
    case 2:
      night_burst();
      break;
    default:
      refund_fraud();
      break;
  }
}

/// Stolen cards are tried out with the smallest amounts, many within minutes.
void Simulation::card_testing() {
  const std::int64_t start = local(trading_second());
  const std::int64_t count = random_.between(25, 90);
  const std::int64_t span = random_.between(300, 1800);
  double unit = 1;
  for (int i = 0; i < m_->place->exponent; ++i) unit *= 10;
  for (std::int64_t i = 0; i < count; ++i) {
    GeneratedEvent test = make_payment(EventType::payment, start + random_.between(0, span), 1);
    test.amount_minor = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(unit * m_->place->price * random_.uniform(0.5, 5)));
    test.payer = new_payer();
    test.channel = Channel::online;
    m_->balance_minor += test.amount_minor;
    emit(test);
    label_fraud(test);
  }
}

/// A few purchases far above anything the shop sells, by cards never seen there.
void Simulation::ticket_jump() {
  const std::int64_t start = local(trading_second());
  const std::int64_t count = random_.between(4, 14);
  for (std::int64_t i = 0; i < count; ++i) {
    const double size = random_.uniform(10, 35);
    GeneratedEvent big =
        make_payment(EventType::payment, start + random_.between(0, 4 * hour_s), size);
    big.payer = random_.chance(0.8) ? new_payer() : regular_payer();
    big.channel = random_.chance(0.7) ? Channel::online : Channel::pos;
    m_->balance_minor += big.amount_minor;
    emit(big);
    label_fraud(big);
  }
}

/// Payments of new payers while the shop sleeps.
void Simulation::night_burst() {
  const std::int64_t count = random_.between(12, 45);
  for (std::int64_t i = 0; i < count; ++i) {
    const double size = random_.uniform(1.2, 4);
    GeneratedEvent odd =
        make_payment(EventType::payment, local(random_.between(hour_s, 4 * hour_s + 1800)), size);
    odd.payer = new_payer();
    odd.channel = Channel::online;
    m_->balance_minor += odd.amount_minor;
    emit(odd);
    label_fraud(odd);
  }
}

/// Refunds without a purchase, to few cards, round and large.
void Simulation::refund_fraud() {
  const std::int64_t start = local(trading_second());
  const std::int64_t count = random_.between(8, 28);
  const std::uint64_t card = new_payer();
  for (std::int64_t i = 0; i < count; ++i) {
    const double size = random_.uniform(2, 8);
    GeneratedEvent back =
        make_payment(EventType::refund, start + random_.between(0, 10 * hour_s), size);
    const std::int64_t round = m_->place->exponent == 0 ? 1000 : 10'000;
    back.amount_minor = std::max(round, back.amount_minor / round * round);
    back.payer = card + random_.below(3);
    m_->balance_minor -= back.amount_minor;
    emit(back);
    label_fraud(back);
  }
}

}  // namespace tidemark
