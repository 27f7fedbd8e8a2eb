// Simulation: the ordinary day of a merchant. Fraud stands in simulation_fraud.cpp.
#include "tools/generate/simulation.hpp"

#include <algorithm>

namespace tidemark {
namespace {

// Shares of payments; each is rare enough to stay a footnote and common enough to be tested.
constexpr double late_share = 0.004;        // a till was offline for minutes to two days
constexpr double very_late_share = 0.0002;  // for weeks
constexpr double stale_share = 0.00002;     // an old journal sent again, two years behind
constexpr double duplicate_share = 0.003;
constexpr double legitimate_share = 0.0003;

constexpr std::int64_t hour_s = 3600;

}  // namespace

std::int64_t Simulation::local(std::int64_t second_of_day) const {
  return (options_.start_day + day_) * day_s + second_of_day - m_->place->offset_s;
}

std::int64_t Simulation::trading_second() {
  const auto& hours = m_->industry->hours;
  std::uint64_t sum = 0;
  for (const auto weight : hours) sum += weight;
  std::uint64_t drawn = random_.below(sum);
  std::int64_t hour = 0;
  while (drawn >= hours[static_cast<std::size_t>(hour)]) {
    drawn -= hours[static_cast<std::size_t>(hour++)];
  }
  return hour * hour_s + random_.between(0, hour_s - 1);
}

/// Regulars come unevenly: the square of a uniform number prefers the first ones.
std::uint64_t Simulation::regular_payer() {
  const double u = random_.uniform();
  const auto rank = static_cast<std::uint64_t>(u * u * m_->payers);
  const std::uint64_t people = 1 + options_.merchants * 8ull;
  return 1 + mix_bits((std::uint64_t{index_} << 24) ^ rank) % people;
}

std::uint64_t Simulation::new_payer() {
  return 100'000'000 + random_.below(900'000'000);
}

/// A price: `size` times the usual ticket, spread by the industry, rounded as shops round.
std::int64_t Simulation::ticket(double size) {
  const double spread = m_->industry->ticket_sigma * random_.normal();
  const double minor = portable_exp(std::min(m_->ticket_log + spread, 30.0)) * size;
  const auto units = std::max<std::int64_t>(1, static_cast<std::int64_t>(minor));
  const std::int64_t grid = m_->place->exponent == 0 ? 10 : m_->place->exponent == 2 ? 50 : 100;
  if (units < grid * 4 || random_.chance(0.4)) return units;
  return units / grid * grid;
}

GeneratedEvent Simulation::make(Source source, EventType type, std::int64_t time_s) {
  GeneratedEvent event;
  event.source = source;
  event.type = type;
  event.time_s = time_s;
  event.arrival_ms = time_s * 1000 + random_.between(50, 2500);
  event.merchant = index_;
  event.certified = m_->certified;
  return event;
}

GeneratedEvent Simulation::make_payment(EventType type, std::int64_t time_s, double size) {
  GeneratedEvent event = make(Source::payments, type, time_s);
  event.number = ++payment_number_;
  event.amount_minor = ticket(size);
  return event;
}

void Simulation::emit(GeneratedEvent event) {
  event.sequence = ++sequence_;
  events_->push_back(event);
  if (event.source != Source::payments && event.source != Source::invoices) return;
  if (random_.chance(duplicate_share)) {
    GeneratedEvent again = event;
    again.arrival_ms += static_cast<std::int64_t>(
        std::min(1000 + random_.exponential(1'800'000.0), 30 * 3'600'000.0));
    again.sequence = ++sequence_;
    events_->push_back(again);
  }
}

void Simulation::take_payment(std::int64_t time_s, double size, std::uint64_t payer,
                              Channel channel) {
  GeneratedEvent payment = make_payment(EventType::payment, time_s, size);
  payment.payer = payer;
  payment.channel = channel;
  m_->balance_minor += payment.amount_minor;
  const double u = random_.uniform();
  if (u < stale_share) {
    payment.time_s -= 730 * day_s;
  } else if (u < very_late_share) {
    payment.arrival_ms += random_.between(3, 40) * day_s * 1000;
  } else if (u < late_share) {
    payment.arrival_ms += static_cast<std::int64_t>(
        std::min(60'000 + random_.exponential(4 * 3'600'000.0), 47 * 3'600'000.0));
  }
  emit(payment);
  follow_up(payment);
}

/// What an honest payment may bring later: a refund, a chargeback, a query that clears it.
void Simulation::follow_up(const GeneratedEvent& payment) {
  const bool refunded = random_.chance(m_->industry->refund_share);
  if (refunded || random_.chance(m_->industry->chargeback_share)) {
    const std::int64_t after = refunded
                                   ? hour_s + static_cast<std::int64_t>(random_.exponential(2e5))
                                   : random_.between(4, 35) * day_s;
    GeneratedEvent back = make_payment(refunded ? EventType::refund : EventType::chargeback,
                                       payment.time_s + after, 1);
    back.amount_minor = payment.amount_minor;
    if (refunded && random_.chance(0.3)) back.amount_minor = (payment.amount_minor + 1) / 2;
    back.payer = payment.payer;
    back.channel = payment.channel;
    back.ref_number = payment.number;
    m_->balance_minor -= back.amount_minor;
    emit(back);
  } else if (random_.chance(legitimate_share)) {
    GeneratedEvent cleared = make(Source::feedback, EventType::legitimate,
                                  payment.time_s + random_.between(1, 6) * day_s);
    cleared.number = ++other_number_;
    cleared.ref_number = payment.number;
    emit(cleared);
  }
}

void Simulation::trade(double level) {
  const std::int64_t count = random_.poisson(level * portable_exp(0.15 * random_.normal()));
  for (std::int64_t i = 0; i < count; ++i) {
    const bool online = random_.chance(m_->industry->online_share);
    // One in six buyers is new; some pay in cash and leave no id.
    const std::uint64_t payer = random_.chance(0.06)   ? 0
                                : random_.chance(0.16) ? new_payer()
                                                       : regular_payer();
    take_payment(local(trading_second()), 1, payer, online ? Channel::online : Channel::pos);
  }
}

/// The acquirer pays the takings out each morning, or on Mondays.
void Simulation::pay_out() {
  const std::int64_t monday = (options_.start_day + day_ + 3) % 7;
  if (m_->balance_minor <= 0 || (m_->paid_out_weekly && monday != 0)) return;
  GeneratedEvent payout = make_payment(EventType::payout, local(6 * hour_s + index_ % 7200), 1);
  payout.amount_minor = m_->balance_minor - m_->balance_minor / 100;
  payout.channel = Channel::transfer;
  m_->balance_minor = 0;
  emit(payout);
}

void Simulation::issue_invoices(double level) {
  const double activity = m_->payments_per_day > 0 ? level / m_->payments_per_day : 0;
  const std::int64_t count = random_.poisson(m_->invoices_per_day * activity);
  for (std::int64_t i = 0; i < count; ++i) {
    GeneratedEvent issued = make(Source::invoices, EventType::issued, local(trading_second()));
    issued.number = ++other_number_;
    issued.invoice = ++invoice_number_;
    issued.amount_minor = ticket(random_.uniform(4, 30));
    const std::uint64_t buyer = random_.below(m_->buyers);
    issued.payer = 1 + (std::uint64_t{index_} * 64 + buyer);
    constexpr std::int64_t terms[] = {14, 30, 30, 45, 60};
    issued.due_s = issued.time_s + terms[random_.below(5)] * day_s;
    emit(issued);
    // A buyer's habit stays the same over the run: most pay early, some never in time. Where a
    // merchant is about to fail, its buyers tend to fail first.
    Random habit(options_.seed, 0x6275796572u, issued.payer);
    double lateness = habit.uniform(0.2, 1.15) + (habit.chance(0.15) ? 0.6 : 0.0);
    if (m_->fate == Fate::collapses && day_ > m_->fate_day - 60) lateness += 0.5;
    settle_invoice(issued, lateness);
  }
}

/// `lateness` 1 = on the due day, in the mean.
void Simulation::settle_invoice(const GeneratedEvent& issued, double lateness) {
  const auto later = [&](EventType type, std::int64_t time_s) {
    GeneratedEvent event = make(Source::invoices, type, time_s);
    event.number = ++other_number_;
    event.invoice = issued.invoice;
    event.amount_minor = issued.amount_minor;
    event.payer = issued.payer;
    event.due_s = issued.due_s;
    emit(event);
  };
  const std::int64_t term_s = issued.due_s - issued.time_s;
  if (random_.chance(0.02)) {
    later(EventType::cancelled, issued.time_s + random_.between(1, 5) * day_s);
    return;
  }
  if (random_.chance(0.02)) later(EventType::disputed, issued.time_s + term_s / 2);
  const double drawn = lateness * random_.uniform(0.6, 1.4);
  const std::int64_t paid_s =
      issued.time_s + hour_s + static_cast<std::int64_t>(static_cast<double>(term_s) * drawn);
  if (paid_s > issued.due_s) later(EventType::overdue, issued.due_s + hour_s);
  if (drawn > 2.2 || random_.chance(0.01)) return;  // written off
  later(EventType::paid, paid_s);
  GeneratedEvent receipt = make_payment(EventType::payment, paid_s, 1);
  receipt.amount_minor = issued.amount_minor;
  receipt.payer = 2'000'000'000 + issued.payer;
  receipt.invoice = issued.invoice;
  receipt.channel = Channel::transfer;
  m_->balance_minor += receipt.amount_minor;
  emit(receipt);
}

/// The power meter's reading, after closing.
void Simulation::report(double level) {
  if (!m_->has_power_meter) return;
  GeneratedEvent reading = make(Source::signals, EventType::signal, local(23 * hour_s + 55 * 60));
  reading.number = ++other_number_;
  const double kwh = (3 + level * 0.4) * random_.uniform(0.85, 1.15);
  reading.value = static_cast<double>(static_cast<std::int64_t>(kwh * 100)) / 100;
  emit(reading);
}

void Simulation::life_events() {
  const std::int32_t first = std::max(0, m_->opened_day);
  if (day_ >= first && (day_ - first) % 91 == 0) {
    // The first profile stands before the first payment of any zone. Later ones bring new figures.
    const std::int64_t time_s =
        day_ == 0 ? options_.start_day * day_s : local(0) + (day_ == first ? 0 : 10 * hour_s);
    GeneratedEvent profile = make(Source::merchants, EventType::profile, time_s);
    profile.arrival_ms = time_s * 1000;
    const double ticket_minor = portable_exp(m_->ticket_log);
    double yearly = m_->payments_per_day * 365 * ticket_minor * 0.03 * random_.uniform(0.7, 1.3);
    for (int i = 0; i < m_->place->exponent; ++i) yearly /= 10;
    profile.value = static_cast<double>(static_cast<std::int64_t>(yearly));
    emit(profile);
  }
  const auto outcome = [&](EventType type) {
    GeneratedEvent event = make(Source::feedback, type, local(10 * hour_s));
    event.number = ++other_number_;
    emit(event);
  };
  if (day_ == m_->default_day) outcome(EventType::loan_default);
  if (day_ == m_->repaid_day && day_ >= first) outcome(EventType::repaid);
}

void Simulation::run_day(std::uint32_t merchant, std::int32_t day,
                         std::vector<GeneratedEvent>& events) {
  index_ = merchant;
  day_ = day;
  m_ = &merchants_[merchant];
  events_ = &events;
  random_ = Random(options_.seed, merchant, static_cast<std::uint64_t>(day));
  const double level = trade_level(options_, *m_, day);
  life_events();
  if (level <= 0) return;
  pay_out();
  trade(level);
  issue_invoices(level);
  plant_fraud(level);
  report(level);
}

}  // namespace tidemark
