// See transaction_calls.hpp.
#include "stream/kafka/transaction_calls.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include "kernels/base/failure.hpp"
#include "stream/kafka/errors.hpp"

namespace tidemark::kafka {
namespace {

constexpr int retries_max = 64;  // of one call; each has waited for its own timeout already

}  // namespace

std::string text_of(const ErrorHandle& error) {
  return fmt::format("{}: {}", rd_kafka_error_name(error.get()),
                     rd_kafka_error_string(error.get()));
}

void init_transactions(rd_kafka_s* client, const KafkaSettings& settings, Wait wait) {
  while (true) {
    const ErrorHandle error(rd_kafka_init_transactions(client, wait.attempt_ms()));
    if (!error) return;
    rd_kafka_poll(client, 0);  // error callbacks fill in what the brokers said
    switch (classify_transactional(error.get())) {
      case ErrorClass::fenced:
        throw_fenced(settings, text_of(error));
      case ErrorClass::retriable:
        // A coordinator that is not there yet and one that ends an older transaction are one to us.
        wait.after(RD_KAFKA_RESP_ERR__TIMED_OUT, "kafka: transactional id");
        break;
      default:
        throw RunError(fmt::format("kafka: transactional id '{}' cannot be used: {}",
                                   settings.transactional_id, text_of(error)));
    }
  }
}

ErrorHandle persist(rd_kafka_s* client, const KafkaSettings& settings,
                    const std::function<rd_kafka_error_s*()>& call) {
  for (int attempt = 0;; ++attempt) {
    ErrorHandle error(call());
    if (classify_transactional(error.get()) != ErrorClass::retriable) return error;
    if (!settings.outlast_outages && attempt == retries_max) return error;
    spdlog::debug("kafka: called again after {}", text_of(error));
    rd_kafka_poll(client, 20);
  }
}

void throw_fenced(const KafkaSettings& settings, const std::string& why) {
  throw RunError(
      fmt::format("fenced: another instance uses transactional id '{}' "
                  "(kafka.transactional_id), or this one slept past transaction.timeout.ms: {}",
                  settings.transactional_id, why));
}

}  // namespace tidemark::kafka
