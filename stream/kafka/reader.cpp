// Partitions read outside the group, each through its own queue, so that a reader takes exactly
// what it asks for and one that waits does not hold up another. Built on librdkafka's simple
// consumer, which allows that on one client; read_committed holds there too.
#include "stream/kafka/reader.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/messages.hpp"

namespace tidemark {

using kafka::Deadline;

namespace {

/// An instance that died leaves its transaction open for transaction.timeout.ms, 20 s of ours.
constexpr std::chrono::seconds settling_limit{60};

}  // namespace

struct ReaderClient::Impl {
  explicit Impl(const KafkaSettings& given) : settings(given) {
    client = kafka::make_client(kafka::make_conf(settings, kafka::ClientKind::reader, watch),
                                kafka::ClientKind::reader);
  }

  /// Null when another reader of this client has the partition. Topics are never closed before the
  /// client: readers may come back to them.
  rd_kafka_topic_s* claim(const std::string& topic, int partition) {
    const std::lock_guard lock(mutex);
    if (!open.emplace(topic, partition).second) return nullptr;
    kafka::TopicHandle& known = topics[topic];
    if (!known) known.reset(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
    return known.get();
  }

  void release(const std::string& topic, int partition) {
    const std::lock_guard lock(mutex);
    open.erase({topic, partition});
  }

  KafkaSettings settings;
  kafka::ClientWatch watch;  // before the client, which points at it
  kafka::ClientHandle client;
  std::mutex mutex;
  std::map<std::string, kafka::TopicHandle> topics;  // after the client: destroyed before it
  std::set<std::pair<std::string, int>> open;
};

ReaderClient::ReaderClient(const KafkaSettings& settings)
    : impl_(std::make_shared<Impl>(settings)) {}
ReaderClient::~ReaderClient() = default;

/// A topic just made can answer "not leader" or "unknown" for a moment, so those are asked again.
ReaderClient::Bounds ReaderClient::bounds(const std::string& topic, int partition) {
  const Deadline deadline(impl_->settings);
  const Deadline unknown_deadline(std::chrono::milliseconds(3000));
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  do {
    Bounds found;
    error =
        rd_kafka_query_watermark_offsets(impl_->client.get(), topic.c_str(), partition,
                                         &found.begin, &found.stable_end, deadline.slice_ms(5000));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return found;
    const bool unknown = error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                         error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                         error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    if (unknown && unknown_deadline.over()) {
      throw RunError(fmt::format("{} [{}]: there is no such topic or partition", topic, partition));
    }
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) break;
    rd_kafka_poll(impl_->client.get(), 20);
  } while (!deadline.over());
  if (error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT ||
      error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    kafka::throw_unreachable(impl_->settings, impl_->watch);
  }
  throw RunError(fmt::format("{} [{}]: {}", topic, partition, rd_kafka_err2str(error)));
}

std::int64_t ReaderClient::end(const std::string& topic, int partition) {
  kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
      RD_KAFKA_OFFSET_SPEC_LATEST;
  const kafka::QueueHandle queue(rd_kafka_queue_new(impl_->client.get()));
  // Without options the isolation level is read_uncommitted: records of open transactions count.
  rd_kafka_ListOffsets(impl_->client.get(), list.get(), nullptr, queue.get());
  rd_kafka_event_t* event =
      rd_kafka_queue_poll(queue.get(), impl_->settings.connect_timeout_s * 1000);
  std::int64_t offset = -1;
  std::string why = "no answer";
  if (event != nullptr && rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    why = rd_kafka_event_error_string(event);
  } else if (event != nullptr) {
    std::size_t count = 0;
    const rd_kafka_ListOffsetsResultInfo_t** infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    if (count == 1) {
      const auto* found = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[0]);
      if (found->err == RD_KAFKA_RESP_ERR_NO_ERROR) offset = found->offset;
      why = rd_kafka_err2str(found->err);
    }
  }
  if (event != nullptr) rd_kafka_event_destroy(event);
  if (offset >= 0) return offset;
  throw RunError(fmt::format("{} [{}]: its end cannot be read: {}", topic, partition, why));
}

ReaderClient::Bounds ReaderClient::settled_bounds(const std::string& topic, int partition) {
  const std::int64_t written = end(topic, partition);
  const Deadline deadline(settling_limit);
  while (true) {
    const Bounds found = bounds(topic, partition);
    if (found.stable_end >= written) return found;
    if (deadline.over()) {
      throw RunError(fmt::format(
          "{} [{}]: a transaction is open at offset {} and does not end: is another instance at "
          "work on this partition?",
          topic, partition, found.stable_end));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

struct PlainReader::Impl {
  Impl(std::shared_ptr<ReaderClient::Impl> shared, const ReadRange& given)
      : client(std::move(shared)), range(given) {}

  ~Impl() {
    if (handle != nullptr) {
      if (running) rd_kafka_consume_stop(handle, range.partition);
      queue.reset();
      client->release(range.topic, range.partition);
    }
  }

  void open(const ReaderClient::Bounds& bounds) {
    if (range.until == log_stable_end) range.until = bounds.stable_end;
    position = range.from == log_beginning ? bounds.begin : range.from;
    if (position < bounds.begin) {
      throw RunError(
          fmt::format("{} [{}]: the log begins at offset {} and no longer reaches back to {}",
                      range.topic, range.partition, bounds.begin, position));
    }
    if (range.until != log_follow && range.until > bounds.stable_end) {
      throw RunError(
          fmt::format("{} [{}]: the log ends at offset {}, before {}: was the topic made anew?",
                      range.topic, range.partition, bounds.stable_end, range.until));
    }
    if (position >= range.until) return;
    handle = client->claim(range.topic, range.partition);
    if (handle == nullptr) {
      // librdkafka has one fetcher a partition and client: a second reader gets its own client.
      client = std::make_shared<ReaderClient::Impl>(client->settings);
      handle = client->claim(range.topic, range.partition);
    }
    queue.reset(rd_kafka_queue_new(client->client.get()));
    if (rd_kafka_consume_start_queue(handle, range.partition, position, queue.get()) != 0) {
      throw RunError(fmt::format("{} [{}]: cannot be read: {}", range.topic, range.partition,
                                 rd_kafka_err2str(rd_kafka_last_error())));
    }
    running = true;
  }

  void handle_error(const rd_kafka_message_t& message) const {
    switch (message.err) {
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        throw RunError(fmt::format("{} [{}] at offset {}: {}", range.topic, range.partition,
                                   position, rd_kafka_message_errstr(&message)));
      default:
        spdlog::debug("kafka reader: {}", rd_kafka_message_errstr(&message));
    }
  }

  std::shared_ptr<RawBatch> take(std::span<rd_kafka_message_s* const> got) {
    kept.clear();
    for (rd_kafka_message_t* m : got) {
      if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        position = std::max(position, m->offset);
        caught_up = true;
      } else if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        handle_error(*m);
      } else {
        // Past the range nothing is returned, and the range is known to be complete.
        position = m->offset + 1;
        caught_up = false;
        if (m->offset < range.until) kept.push_back(m);
      }
    }
    auto batch = kafka::copy_messages(kept);
    for (RawRecord& record : batch->records) record.source = range.source;
    return batch;
  }

  std::shared_ptr<ReaderClient::Impl> client;
  ReadRange range;
  rd_kafka_topic_s* handle = nullptr;
  kafka::QueueHandle queue;
  bool running = false;
  bool caught_up = false;
  std::int64_t position = 0;
  std::vector<rd_kafka_message_s*> messages, kept;
};

PlainReader::PlainReader(ReaderClient& client, const ReadRange& range)
    : impl_(std::make_unique<Impl>(client.impl_, range)) {
  impl_->open(client.bounds(range.topic, range.partition));
}

PlainReader::PlainReader(const KafkaSettings& settings, const ReadRange& range) {
  ReaderClient client(settings);  // the reader keeps the connections alive
  impl_ = std::make_unique<Impl>(client.impl_, range);
  impl_->open(client.bounds(range.topic, range.partition));
}

PlainReader::~PlainReader() = default;
PlainReader::PlainReader(PlainReader&&) noexcept = default;
PlainReader& PlainReader::operator=(PlainReader&&) noexcept = default;

std::shared_ptr<RawBatch> PlainReader::read(std::size_t records_max, int timeout_ms) {
  Impl& self = *impl_;
  if (done()) return std::make_shared<RawBatch>();
  if (self.messages.size() < records_max) self.messages.resize(records_max);
  // The last records of a range must not wait for as many as were asked for.
  std::size_t wanted = records_max;
  if (self.range.until != log_follow) {
    wanted =
        std::min<std::size_t>(wanted, static_cast<std::size_t>(self.range.until - self.position));
  }
  const ssize_t got =
      rd_kafka_consume_batch_queue(self.queue.get(), timeout_ms, self.messages.data(), wanted);
  const std::size_t count = got > 0 ? static_cast<std::size_t>(got) : 0;
  struct Release {
    std::span<rd_kafka_message_s*> all;
    ~Release() {
      for (rd_kafka_message_s* m : all) rd_kafka_message_destroy(m);
    }
  } release{{self.messages.data(), count}};
  return self.take(release.all);
}

bool PlainReader::done() const {
  return impl_->position >= impl_->range.until;
}
bool PlainReader::caught_up() const {
  return impl_->caught_up;
}
std::int64_t PlainReader::position() const {
  return impl_->position;
}

}  // namespace tidemark
