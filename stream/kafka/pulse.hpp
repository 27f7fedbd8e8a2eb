// Pulse: whether the brokers answer, asked every second over a connection and by a thread of its
// own, so that it is known whatever the other clients wait for. It says so in the log when they
// fall silent, every half minute, and when they are back; it repairs nothing.
#pragma once

#include <memory>

#include "stream/kafka/settings.hpp"

namespace tidemark {

class Pulse {
 public:
  explicit Pulse(const KafkaSettings& settings);
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  /// Seconds since a question that nobody has answered, 0 while they answer. Any thread.
  double silent_s() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
