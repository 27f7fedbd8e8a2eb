// Lines: generated events as the JSON of the contract, and the malformed lines between them. Holds
// no state but caches; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/generate/scene.hpp"
#include "tools/generate/simulation.hpp"

namespace tidemark {

class LineWriter {
 public:
  LineWriter(const GenerateOptions& options, const std::vector<Merchant>& merchants)
      : options_(options), merchants_(merchants) {}

  /// Appends the event as one line.
  void append(const GeneratedEvent& event, std::string& out);
  /// Appends a malformed line made after a payment or invoice where the seed wants one, and
  /// returns whether it did. Good lines do not depend on it.
  bool append_bad(const GeneratedEvent& event, std::string& out);

 private:
  void append_head(const GeneratedEvent& event, char prefix, std::string& out);
  void append_time(std::int64_t time_s, const Merchant& merchant, std::string& out);
  void append_amount(const GeneratedEvent& event, std::string& out);
  void append_payment(const GeneratedEvent& event, std::string& out);
  void append_invoice(const GeneratedEvent& event, std::string& out);
  void append_profile(const GeneratedEvent& event, std::string& out);
  void append_signal(const GeneratedEvent& event, std::string& out);
  void append_feedback(const GeneratedEvent& event, std::string& out);

  const GenerateOptions& options_;
  const std::vector<Merchant>& merchants_;
  std::int64_t cached_day_ = -1;
  char cached_date_[10] = {};
};

}  // namespace tidemark
