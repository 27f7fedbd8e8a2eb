// See transactional_writer.hpp.
#include "stream/kafka/transactional_writer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/errors.hpp"
#include "stream/kafka/pending_records.hpp"
#include "stream/kafka/transaction_calls.hpp"
#include "stream/kafka/wait.hpp"

namespace tidemark {

using kafka::ErrorClass;
using kafka::ErrorHandle;
using kafka::Wait;

namespace {

constexpr int flush_ms_max = 60'000;  // transaction.timeout.ms ends it long before
constexpr int last_abort_ms = 5'000;

KafkaSettings with_id(KafkaSettings settings, const std::string& transactional_id) {
  settings.transactional_id = transactional_id;
  settings.delivery = Delivery::exactly_once;  // whatever the engine's is
  return settings;
}

}  // namespace

struct TransactionalWriter::Impl {
  Impl(const KafkaSettings& given, const std::string& transactional_id)
      : settings(with_id(given, transactional_id)) {
    kafka::ConfHandle conf = kafka::make_conf(settings, kafka::ClientKind::producer, watch);
    pending.listen(conf.get(), watch);
    client = kafka::make_client(std::move(conf), kafka::ClientKind::producer);
  }

  ~Impl() {
    if (!client) return;
    // An open transaction would hide what others write behind it until it times out.
    if (in_transaction) ErrorHandle(rd_kafka_abort_transaction(client.get(), last_abort_ms));
    rd_kafka_purge(client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client.get(), 1000);  // takes the reports of what was purged
  }

  [[noreturn]] void fail(const std::string& why) {
    // What a fence does to a record is said of the record.
    std::array<char, 512> reason{};
    const int fatal = rd_kafka_fatal_error(client.get(), reason.data(), reason.size());
    if (kafka::classify(fatal) == ErrorClass::fenced) {
      in_transaction = false;
      kafka::throw_fenced(settings, reason.data());
    }
    throw RunError(
        fmt::format("kafka: the transaction of '{}' failed, nothing of it is visible: {}",
                    settings.transactional_id, why));
  }

  /// Ends in a throw for anything but null.
  void require(const ErrorHandle& error) {
    if (!error) return;
    const std::string why = pending.failure().empty() ? kafka::text_of(error) : pending.failure();
    switch (kafka::classify_transactional(error.get())) {
      case ErrorClass::fenced:
        in_transaction = false;
        kafka::throw_fenced(settings, kafka::text_of(error));
      case ErrorClass::fatal:
        in_transaction = false;
        throw RunError(
            fmt::format("kafka: whether the transaction of '{}' is committed is not "
                        "known: {}",
                        settings.transactional_id, why));
      default:
        fail(why);
    }
  }

  KafkaSettings settings;
  kafka::ClientWatch watch;  // before the client, which points at it
  kafka::PendingRecords pending;
  kafka::ClientHandle client;
  bool in_transaction = false;
  bool worn = false;  // trouble on the wire inside a transaction
};

TransactionalWriter::TransactionalWriter(const KafkaSettings& settings,
                                         const std::string& transactional_id)
    : impl_(std::make_unique<Impl>(settings, transactional_id)) {}
TransactionalWriter::~TransactionalWriter() = default;

void TransactionalWriter::init() {
  Impl& self = *impl_;
  kafka::init_transactions(self.client.get(), self.settings, Wait(self.settings, self.watch));
}

void TransactionalWriter::begin() {
  Impl& self = *impl_;
  if (self.worn) {
    throw RunError(fmt::format("kafka: trouble on the wire, no further transaction of '{}' is safe",
                               self.settings.transactional_id));
  }
  self.watch.transport_trouble.store(false, std::memory_order_relaxed);
  self.require(ErrorHandle(rd_kafka_begin_transaction(self.client.get())));
  self.in_transaction = true;
}

void TransactionalWriter::send(const RecordToWrite& record) {
  const std::string failure = impl_->pending.send(impl_->client.get(), record);
  if (!failure.empty()) impl_->fail(failure);
}

std::vector<std::int64_t> TransactionalWriter::flush() {
  const std::string failure = impl_->pending.flush(impl_->client.get(), flush_ms_max);
  if (!failure.empty()) impl_->fail(failure);
  return impl_->pending.take_offsets();
}

void TransactionalWriter::commit() {
  Impl& self = *impl_;
  self.require(kafka::persist(self.client.get(), self.settings, [&self] {
    return rd_kafka_commit_transaction(self.client.get(), -1);
  }));
  self.in_transaction = false;
  self.worn = self.watch.transport_trouble.load(std::memory_order_relaxed);
  self.pending.take_offsets();
}

}  // namespace tidemark
