// See sink_client.hpp.
#include "stream/kafka/sink_client.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <stdexcept>

#include "kernels/base/failure.hpp"
#include "stream/kafka/errors.hpp"
#include "stream/kafka/produce.hpp"
#include "stream/kafka/wait.hpp"

namespace tidemark::kafka {

void SinkClient::open() {
  watch.owner = this;
  ConfHandle conf = make_conf(settings, ClientKind::producer, watch);
  // Without a delivery report flush polls in steps of 10 ms: it more than doubles a commit.
  rd_kafka_conf_set_dr_msg_cb(
      conf.get(), [](rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
        static_cast<SinkClient*>(static_cast<ClientWatch*>(opaque)->owner)->note(*m);
      });
  client = make_client(std::move(conf), ClientKind::producer);
  for (std::size_t i = 0; i < topics.size(); ++i) {
    const std::string& name = settings.output_topics[i];
    if (!name.empty()) topics[i].reset(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
  }
}

void SinkClient::close() {
  if (!client) return;
  rd_kafka_purge(client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client.get(), 1000);  // takes the reports of what was purged
  for (auto& topic : topics) topic.reset();
  client.reset();
}

void SinkClient::begin() {
  watch.transport_trouble.store(false, std::memory_order_relaxed);
  failed.clear();
  overtaken.clear();
  undelivered = RD_KAFKA_RESP_ERR_NO_ERROR;
  records = 0;
  bytes = 0;
}

void SinkClient::note(const rd_kafka_message_s& delivered) {
  const char* const topic = rd_kafka_topic_name(delivered.rkt);
  if (delivered.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const std::int64_t expected = expected_offset_of(delivered);
    if (expected < 0 || delivered.offset == expected || !overtaken.empty()) return;
    overtaken = fmt::format(
        "{} [{}]: offset {} was expected and {} was given: another instance "
        "writes there too",
        topic, delivered.partition, expected, delivered.offset);
    return;
  }
  if (undelivered != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  undelivered = delivered.err;
  undelivered_place = {topic, delivered.partition};
  undelivered_text = fmt::format("{}: a record of {} bytes: {}", topic, delivered.len,
                                 rd_kafka_err2str(delivered.err));
}

void SinkClient::add(const OutputBatch& batch, const OutputRecord& record) {
  rd_kafka_topic_s* topic = topics[static_cast<std::size_t>(record.topic)].get();
  if (topic == nullptr) {
    throw std::logic_error(fmt::format("no topic is configured for {}", name_of(record.topic)));
  }
  constexpr int wait_ms = 20;
  for (int waited_ms = 0;; waited_ms += wait_ms) {
    const auto error = static_cast<rd_kafka_resp_err_t>(
        produce_record(client.get(), topic, settings, batch, record));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
      throw RunError(
          fmt::format("{}: a record of {} bytes is over message.max.bytes; raise "
                      "kafka.client.message.max.bytes and the topic's max.message.bytes",
                      settings.output(record.topic), record.value_bytes));
    }
    // The queue drains, or its records time out and the transaction fails: this loop ends.
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL || waited_ms > 120'000) {
      failed = fmt::format("{}: {}", settings.output(record.topic), rd_kafka_err2str(error));
      return;
    }
    count([](Sink::Counters& c) { ++c.queue_full_waits; });
    rd_kafka_poll(client.get(), wait_ms);
  }
  ++records;
  bytes += record.value_bytes + record.key_bytes;
}

void SinkClient::add_all(const OutputBatch& batch) {
  constexpr std::size_t poll_every = 1024;
  for (std::size_t i = 0; i < batch.records.size() && failed.empty(); ++i) {
    add(batch, batch.records[i]);
    if (i % poll_every == 0) rd_kafka_poll(client.get(), 0);
  }
  rd_kafka_poll(client.get(), 0);
}

void SinkClient::judge_undelivered() {
  const ErrorClass kind = classify(undelivered);
  if (kind == ErrorClass::fatal) {
    throw RunError(fmt::format("kafka refuses a record for good: {}", undelivered_text));
  }
  if (kind == ErrorClass::unknown_topic) {
    query_bounds(client.get(), Wait(settings, watch), undelivered_place.first,
                 std::max(0, undelivered_place.second));
  }
}

}  // namespace tidemark::kafka
