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
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/errors.hpp"
#include "stream/kafka/messages.hpp"
#include "stream/kafka/wait.hpp"

namespace tidemark {

using kafka::Wait;

namespace {

/// An instance that died leaves its transaction open for transaction.timeout.ms, 20 s of ours: a
/// minute in all.
constexpr std::chrono::milliseconds settling_pause{20};
constexpr int settling_looks_max = 3000;

struct DestroyEvent {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};

}  // namespace

struct ReaderClient::Impl {
  explicit Impl(const KafkaSettings& given) : settings(given) {
    for (kafka::ClientHandle* made : {&client, &asking}) {
      *made = kafka::make_client(kafka::make_conf(settings, kafka::ClientKind::reader, watch),
                                 kafka::ClientKind::reader);
    }
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

  Bounds bounds(const std::string& topic, int partition) {
    const kafka::LogBounds found =
        kafka::query_bounds(asking.get(), Wait(settings, watch), topic, partition);
    return {found.begin, found.stable_end};
  }

  /// One request for the end, open transactions included; gives an error of librdkafka's.
  int ask_end(const std::string& topic, int partition, int timeout_ms, std::int64_t& offset) {
    kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
        RD_KAFKA_OFFSET_SPEC_LATEST;
    const kafka::QueueHandle answers(rd_kafka_queue_new(asking.get()));
    // Without options the isolation level is read_uncommitted: records of open transactions count.
    rd_kafka_ListOffsets(asking.get(), list.get(), nullptr, answers.get());
    const std::unique_ptr<rd_kafka_event_t, DestroyEvent> event(
        rd_kafka_queue_poll(answers.get(), timeout_ms));
    if (!event) return RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return rd_kafka_event_error(event.get());
    }
    std::size_t count = 0;
    const rd_kafka_ListOffsetsResultInfo_t** infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event.get()), &count);
    if (count != 1) return RD_KAFKA_RESP_ERR__FAIL;
    const auto* found = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[0]);
    offset = found->offset;
    // Where the leader is gone before it answers, librdkafka fills in neither offset nor error.
    const bool answered = found->err != RD_KAFKA_RESP_ERR_NO_ERROR || offset >= 0;
    return answered ? found->err : RD_KAFKA_RESP_ERR__TRANSPORT;
  }

  KafkaSettings settings;
  kafka::ClientWatch watch;  // before the client, which points at it
  kafka::ClientHandle client;
  // A broker answers one request at a time on a connection: behind a fetch that waits for records
  // every question would wait too.
  kafka::ClientHandle asking;
  std::mutex mutex;
  std::map<std::string, kafka::TopicHandle> topics;  // after the client: destroyed before it
  std::set<std::pair<std::string, int>> open;
};

ReaderClient::ReaderClient(const KafkaSettings& settings)
    : impl_(std::make_shared<Impl>(settings)) {}
ReaderClient::~ReaderClient() = default;

ReaderClient::Bounds ReaderClient::bounds(const std::string& topic, int partition) {
  return impl_->bounds(topic, partition);
}

std::int64_t ReaderClient::end(const std::string& topic, int partition) {
  Wait wait(impl_->settings, impl_->watch);
  const std::string what = fmt::format("{} [{}]: its end cannot be read", topic, partition);
  while (true) {
    std::int64_t offset = 0;
    const int error = impl_->ask_end(topic, partition, wait.attempt_ms(), offset);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return offset;
    wait.after(error, what);
    kafka::refresh_metadata(impl_->asking.get(), topic, wait.attempt_ms());
  }
}

ReaderClient::Bounds ReaderClient::settled_bounds(const std::string& topic, int partition) {
  const std::int64_t written = end(topic, partition);
  Bounds found;
  // Looks are counted, not seconds: an outage makes one look long.
  for (int look = 0; look < settling_looks_max; ++look) {
    found = bounds(topic, partition);
    if (found.stable_end >= written) return found;
    std::this_thread::sleep_for(settling_pause);
  }
  throw RunError(fmt::format(
      "{} [{}]: a transaction is open at offset {} and does not end: is another instance at "
      "work on this partition?",
      topic, partition, found.stable_end));
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
    if (range.what_is_left) position = std::max(position, bounds.begin);
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

  /// Errors that arrive in place of a record. What passes is waited for; whether an unknown topic
  /// is gone or a broker has only just come back, a question about its bounds tells.
  void handle_error(const rd_kafka_message_t& message) const {
    switch (kafka::classify(message.err)) {
      case kafka::ErrorClass::fatal:
        throw RunError(fmt::format("{} [{}] at offset {}: {}", range.topic, range.partition,
                                   position, rd_kafka_message_errstr(&message)));
      case kafka::ErrorClass::unknown_topic:
        client->bounds(range.topic, range.partition);
        break;
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
    auto batch = kafka::copy_messages(kept, client->settings.keep_headers);
    for (RawRecord& record : batch->records) record.source = range.source;
    headers.clear();
    if (range.headers) {
      for (const rd_kafka_message_t* m : kept) headers.push_back(headers_of(*m));
    }
    return batch;
  }

  static RecordHeaders headers_of(const rd_kafka_message_t& message) {
    RecordHeaders found;
    rd_kafka_headers_t* all = nullptr;
    if (rd_kafka_message_headers(&message, &all) != RD_KAFKA_RESP_ERR_NO_ERROR) return found;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t bytes = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(all, i, &name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      found.emplace_back(name, std::string(static_cast<const char*>(value), bytes));
    }
    return found;
  }

  std::shared_ptr<ReaderClient::Impl> client;
  ReadRange range;
  rd_kafka_topic_s* handle = nullptr;
  kafka::QueueHandle queue;
  bool running = false;
  bool caught_up = false;
  std::int64_t position = 0;
  std::vector<rd_kafka_message_s*> messages, kept;
  std::vector<RecordHeaders> headers;
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
  self.headers.clear();
  if (done()) return std::make_shared<RawBatch>();
  if (self.messages.size() < records_max) self.messages.resize(records_max);
  rd_kafka_queue_t* const queue = self.queue.get();
  rd_kafka_message_t** const messages = self.messages.data();
  // The client would wait until all that was asked for is there; we wait for the first alone.
  ssize_t got = rd_kafka_consume_batch_queue(queue, 0, messages, records_max);
  if (got <= 0) {
    got = rd_kafka_consume_batch_queue(queue, timeout_ms, messages, 1);
    if (got == 1 && records_max > 1) {
      const ssize_t more = rd_kafka_consume_batch_queue(queue, 0, messages + 1, records_max - 1);
      if (more > 0) got += more;
    }
  }
  const std::size_t count = got > 0 ? static_cast<std::size_t>(got) : 0;
  struct Release {
    std::span<rd_kafka_message_s*> all;
    ~Release() {
      for (rd_kafka_message_s* m : all) rd_kafka_message_destroy(m);
    }
  } release{{self.messages.data(), count}};
  return self.take(release.all);
}

const std::vector<RecordHeaders>& PlainReader::headers() const {
  return impl_->headers;
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
std::int64_t PlainReader::known_end() const {
  if (impl_->handle == nullptr) return impl_->position;
  std::int64_t begin = 0, end = RD_KAFKA_OFFSET_INVALID;
  rd_kafka_get_watermark_offsets(impl_->client->client.get(), impl_->range.topic.c_str(),
                                 impl_->range.partition, &begin, &end);
  return std::max(end, impl_->position);
}

}  // namespace tidemark
