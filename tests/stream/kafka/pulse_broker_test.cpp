// The pulse of a real broker: it stops with the broker and comes back with it.
#include "stream/kafka/pulse.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {
namespace {

void pause() {
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

TEST(BrokerPulse, StopsWithTheBrokerAndComesBackWithIt) {
  BROKER_OR_SKIP();
  const Pulse pulse(settings_for("pulse"));
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(pulse.silent_s(), 0);
  Broker::instance().kill();
  EXPECT_TRUE(poll_until(pause, [&] { return pulse.silent_s() > 3; }));
  Broker::instance().start();
  EXPECT_TRUE(poll_until(pause, [&] { return pulse.silent_s() == 0; }));
}

}  // namespace
}  // namespace tidemark::testing
