// See transactional_writer.hpp. The opaque of a message is its number, under which the delivery
// report files the offset.
#include "stream/kafka/transactional_writer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/errors.hpp"
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

rd_kafka_vu_t of(rd_kafka_vtype_t type) {
  rd_kafka_vu_t vu{};
  vu.vtype = type;
  return vu;
}

/// librdkafka's pointers are not const, though with F_COPY it only reads.
rd_kafka_vu_t bytes_of(rd_kafka_vtype_t type, const std::optional<std::string_view>& text) {
  rd_kafka_vu_t vu = of(type);
  if (!text) return vu;
  // An empty view may have no bytes to point at, and would turn into a null.
  vu.u.mem = {const_cast<char*>(text->empty() ? "" : text->data()), text->size()};
  return vu;
}

}  // namespace

struct TransactionalWriter::Impl {
  Impl(const KafkaSettings& given, const std::string& transactional_id)
      : settings(with_id(given, transactional_id)) {
    watch.owner = this;
    kafka::ConfHandle conf = kafka::make_conf(settings, kafka::ClientKind::producer, watch);
    rd_kafka_conf_set_dr_msg_cb(
        conf.get(), [](rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
          static_cast<Impl*>(static_cast<kafka::ClientWatch*>(opaque)->owner)->note(*m);
        });
    client = kafka::make_client(std::move(conf), kafka::ClientKind::producer);
  }

  ~Impl() {
    if (!client) return;
    // An open transaction would hide what others write behind it until it times out.
    if (in_transaction) ErrorHandle(rd_kafka_abort_transaction(client.get(), last_abort_ms));
    rd_kafka_purge(client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client.get(), 1000);  // takes the reports of what was purged
  }

  void note(const rd_kafka_message_t& message) {
    const auto number = reinterpret_cast<std::uintptr_t>(message._private);
    if (number < offsets.size()) offsets[number] = message.offset;
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR || !undelivered.empty()) return;
    undelivered = fmt::format("{}: a record of {} bytes: {}", rd_kafka_topic_name(message.rkt),
                              message.len, rd_kafka_err2str(message.err));
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
    const std::string why = undelivered.empty() ? kafka::text_of(error) : undelivered;
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
  kafka::ClientHandle client;
  bool in_transaction = false;
  bool worn = false;  // trouble on the wire inside a transaction
  std::string undelivered;
  std::vector<std::int64_t> offsets;
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
  Impl& self = *impl_;
  const std::string topic(record.topic);  // with its end
  std::vector<rd_kafka_vu_t> vus;
  vus.push_back(of(RD_KAFKA_VTYPE_TOPIC));
  vus.back().u.cstr = topic.c_str();
  vus.push_back(of(RD_KAFKA_VTYPE_PARTITION));
  vus.back().u.i32 = record.partition;
  vus.push_back(of(RD_KAFKA_VTYPE_MSGFLAGS));
  vus.back().u.i = RD_KAFKA_MSG_F_COPY;
  vus.push_back(of(RD_KAFKA_VTYPE_OPAQUE));
  vus.back().u.ptr = reinterpret_cast<void*>(self.offsets.size());
  vus.push_back(bytes_of(RD_KAFKA_VTYPE_KEY, record.key));
  vus.push_back(bytes_of(RD_KAFKA_VTYPE_VALUE, record.value));
  for (const auto& [name, value] : record.headers) {
    vus.push_back(of(RD_KAFKA_VTYPE_HEADER));
    vus.back().u.header = {name.c_str(), value.data(), static_cast<ssize_t>(value.size())};
  }
  self.offsets.push_back(-1);
  const ErrorHandle error(rd_kafka_produceva(self.client.get(), vus.data(), vus.size()));
  if (error) self.fail(fmt::format("{}: {}", topic, rd_kafka_error_string(error.get())));
  rd_kafka_poll(self.client.get(), 0);
}

std::vector<std::int64_t> TransactionalWriter::flush() {
  Impl& self = *impl_;
  const rd_kafka_resp_err_t error = rd_kafka_flush(self.client.get(), flush_ms_max);
  if (!self.undelivered.empty()) self.fail(self.undelivered);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) self.fail(rd_kafka_err2str(error));
  return std::exchange(self.offsets, {});
}

void TransactionalWriter::commit() {
  Impl& self = *impl_;
  self.require(kafka::persist(self.client.get(), self.settings, [&self] {
    return rd_kafka_commit_transaction(self.client.get(), -1);
  }));
  self.in_transaction = false;
  self.worn = self.watch.transport_trouble.load(std::memory_order_relaxed);
  self.offsets.clear();
}

}  // namespace tidemark
