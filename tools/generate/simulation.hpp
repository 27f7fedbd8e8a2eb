// Simulation: what one merchant does on one day, as events with their time of arrival. Holds only
// the counters behind the ids; every draw comes from a stream of its own per merchant and day.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/data/event.hpp"
#include "tools/generate/random.hpp"
#include "tools/generate/scene.hpp"

namespace tidemark {

enum class Channel : std::uint8_t { pos, online, transfer };

inline constexpr std::int64_t day_s = 86'400;

/// An event before it is text. Numbers become ids such as p-19; 0 = absent.
struct GeneratedEvent {
  std::int64_t arrival_ms = 0;
  std::uint64_t sequence = 0;  // of generation: orders what arrives at the same instant
  std::int64_t time_s = 0, due_s = 0;
  std::int64_t amount_minor = 0;
  std::uint64_t number = 0, ref_number = 0, payer = 0, invoice = 0;
  double value = 0;  // signals; merchants: yearly tax
  std::uint32_t merchant = 0;
  Source source = Source::payments;
  EventType type = EventType::payment;
  Channel channel = Channel::pos;
  bool certified = true;
};

class Simulation {
 public:
  Simulation(const GenerateOptions& options, std::vector<Merchant>& merchants)
      : options_(options), merchants_(merchants) {}

  /// Appends the events that start on local day `day` of the run (0 = the first) at one merchant:
  /// also those that follow from them later, such as refunds, settlements and labels.
  void run_day(std::uint32_t merchant, std::int32_t day, std::vector<GeneratedEvent>& events);

 private:
  void trade(double level);
  void take_payment(std::int64_t time_s, double size, std::uint64_t payer, Channel channel);
  void follow_up(const GeneratedEvent& payment);
  void pay_out();
  void issue_invoices(double level);
  void settle_invoice(const GeneratedEvent& issued, double lateness);
  void plant_fraud(double level);
  void card_testing();
  void ticket_jump();
  void night_burst();
  void refund_fraud();
  void label_fraud(const GeneratedEvent& event);
  void report(double level);
  void life_events();

  GeneratedEvent make(Source source, EventType type, std::int64_t time_s);
  GeneratedEvent make_payment(EventType type, std::int64_t time_s, double size);
  void emit(GeneratedEvent event);
  std::int64_t local(std::int64_t second_of_day) const;
  std::int64_t trading_second();
  std::uint64_t regular_payer();
  std::uint64_t new_payer();
  std::int64_t ticket(double size);

  const GenerateOptions& options_;
  std::vector<Merchant>& merchants_;
  std::uint64_t sequence_ = 0;
  std::uint64_t payment_number_ = 0, other_number_ = 0, invoice_number_ = 0;
  // Of the merchant and day at hand.
  std::uint32_t index_ = 0;
  std::int32_t day_ = 0;
  Merchant* m_ = nullptr;
  Random random_{0};
  std::vector<GeneratedEvent>* events_ = nullptr;
};

}  // namespace tidemark
