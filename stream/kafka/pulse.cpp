// See pulse.hpp.
#include "stream/kafka/pulse.hpp"

#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "stream/kafka/client.hpp"

namespace tidemark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds between_questions{1};
constexpr int answer_ms_max = 2000;
constexpr std::chrono::seconds between_lines{30};

}  // namespace

struct Pulse::Impl {
  explicit Impl(const KafkaSettings& given)
      : settings(given),
        client(kafka::make_client(kafka::make_conf(settings, kafka::ClientKind::admin, watch),
                                  kafka::ClientKind::admin)),
        thread([this](const std::stop_token& stopped) { run(stopped); }) {}

  bool answered() {
    const rd_kafka_metadata_t* metadata = nullptr;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(client.get(), 0, nullptr, &metadata, answer_ms_max);
    if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
    rd_kafka_poll(client.get(), 0);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  void run(const std::stop_token& stopped) {
    std::mutex mutex;
    std::condition_variable_any woken;
    Clock::time_point next_line;
    while (!stopped.stop_requested()) {
      const auto asked = Clock::now();
      if (answered()) {
        if (const double silence_s = silent_s(); silence_s > 0) {
          spdlog::info("kafka: the brokers of '{}' answer again after {:.0f} s",
                       settings.bootstrap_servers, silence_s);
        }
        silent_since = Clock::time_point{};
        next_line = {};
      } else {
        if (silent_since.load() == Clock::time_point{}) silent_since = asked;
        if (Clock::now() >= next_line) {
          spdlog::warn("kafka: waiting for the brokers of '{}', silent for {:.0f} s: {}",
                       settings.bootstrap_servers, silent_s(), watch.last_error());
          next_line = Clock::now() + between_lines;
        }
      }
      std::unique_lock lock(mutex);
      woken.wait_for(lock, stopped, between_questions, [] { return false; });
    }
  }

  double silent_s() const {
    const Clock::time_point since = silent_since;
    if (since == Clock::time_point{}) return 0;
    return std::chrono::duration<double>(Clock::now() - since).count();
  }

  KafkaSettings settings;
  kafka::ClientWatch watch;  // before the client, which points at it
  kafka::ClientHandle client;
  std::atomic<Clock::time_point> silent_since{Clock::time_point{}};
  std::jthread thread;  // last: it uses the others
};

Pulse::Pulse(const KafkaSettings& settings) : impl_(std::make_unique<Impl>(settings)) {}
Pulse::~Pulse() = default;

double Pulse::silent_s() const {
  return impl_->silent_s();
}

}  // namespace tidemark
