// See acked_writer.hpp.
#include "stream/kafka/acked_writer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <mutex>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/pending_records.hpp"

namespace tidemark {

namespace {

// A record's own time limit, connect_timeout_s, ends a flush; this is beyond it.
constexpr int flush_ms_beyond = 30'000;

}  // namespace

struct AckedWriter::Impl {
  struct Producer {
    explicit Producer(const KafkaSettings& settings) {
      kafka::ConfHandle conf = kafka::make_conf(settings, kafka::ClientKind::writer, watch);
      pending.listen(conf.get(), watch);
      client = kafka::make_client(std::move(conf), kafka::ClientKind::writer);
    }
    ~Producer() {
      rd_kafka_purge(client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
      rd_kafka_flush(client.get(), 1000);  // takes the reports of what was purged
    }
    kafka::ClientWatch watch;  // before the client, which points at it
    kafka::PendingRecords pending;
    kafka::ClientHandle client;
  };

  explicit Impl(const KafkaSettings& given)
      : settings(given), producer(std::make_unique<Producer>(settings)) {}

  KafkaSettings settings;
  std::mutex mutex;
  std::unique_ptr<Producer> producer;  // null after a failure
};

AckedWriter::AckedWriter(const KafkaSettings& settings) : impl_(std::make_unique<Impl>(settings)) {}
AckedWriter::~AckedWriter() = default;

std::vector<std::int64_t> AckedWriter::write(std::span<const RecordToWrite> records) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->producer) impl_->producer = std::make_unique<Impl::Producer>(impl_->settings);
  Impl::Producer& producer = *impl_->producer;
  std::string failure;
  for (const RecordToWrite& record : records) {
    failure = producer.pending.send(producer.client.get(), record);
    if (!failure.empty()) break;
  }
  if (failure.empty()) {
    failure = producer.pending.flush(producer.client.get(),
                                     impl_->settings.connect_timeout_s * 1000 + flush_ms_beyond);
  }
  if (failure.empty()) return producer.pending.take_offsets();
  impl_->producer.reset();
  throw RunError("kafka: " + failure);
}

}  // namespace tidemark
