// See wait.hpp.
#include "stream/kafka/wait.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

#include "kernels/base/failure.hpp"
#include "stream/kafka/errors.hpp"

namespace tidemark::kafka {
namespace {

constexpr int attempt_ms_max = 5000;
constexpr int pause_ms_min = 20, pause_ms_max = 1000;
constexpr int failures_without_word = 10;  // about 5 s of pauses
constexpr std::chrono::milliseconds unknown_limit{5000};

}  // namespace

Wait::Wait(const KafkaSettings& settings, ClientWatch& watch, bool outlast)
    : settings_(settings),
      watch_(watch),
      outlast_(outlast),
      limit_(settings),
      unknown_limit_(unknown_limit) {}

int Wait::attempt_ms() const {
  return outlast_ ? attempt_ms_max : std::max(1, limit_.slice_ms(attempt_ms_max));
}

void Wait::after(int error, std::string_view what) {
  const ErrorClass kind = classify(error);
  const char* text = rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error));
  const bool away = kind == ErrorClass::away;
  if (away && outlast_) {
    limit_ = Deadline(settings_);  // an outage does not count
    unknown_limit_ = Deadline(unknown_limit);
  } else if (away && limit_.over()) {
    throw_unreachable(settings_, watch_);
  } else if (kind == ErrorClass::unknown_topic && unknown_limit_.over()) {
    throw RunError(fmt::format("{}: there is no such topic or partition", what));
  } else if (kind == ErrorClass::fatal || kind == ErrorClass::fenced || limit_.over()) {
    throw RunError(fmt::format("{}: {}", what, text));
  }
  if (failures_ >= failures_without_word && watch_.connection_line_is_due()) {
    spdlog::warn("{}: {}; asking again", what, text);
  }
  const int pause_ms = std::min(pause_ms_min << std::min(failures_, 10), pause_ms_max);
  ++failures_;
  std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
}

void refresh_metadata(rd_kafka_s* client, const std::string& topic, int timeout_ms) {
  const TopicHandle handle(rd_kafka_topic_new(client, topic.c_str(), nullptr));
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_metadata(client, 0, handle.get(), &metadata, timeout_ms);
  if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
}

LogBounds query_bounds(rd_kafka_s* client, Wait wait, const std::string& topic, int partition) {
  const std::string what = fmt::format("{} [{}]", topic, partition);
  std::optional<std::int64_t> empty_at;
  while (true) {
    LogBounds found;
    const rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
        client, topic.c_str(), partition, &found.begin, &found.stable_end, wait.attempt_ms());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      // While a leader moves, librdkafka may lose one of the two answers behind the other and take
      // the log for an empty one: it is believed when it says so twice.
      if (found.begin != found.stable_end || empty_at == found.begin) return found;
      empty_at = found.begin;
      continue;
    }
    rd_kafka_poll(client, 0);  // error callbacks fill in what the brokers said
    wait.after(error, what);
    refresh_metadata(client, topic, wait.attempt_ms());
  }
}

}  // namespace tidemark::kafka
