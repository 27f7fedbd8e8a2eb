// The transactional producer. Retriable calls are called again, abortable ones end in an abort,
// fatal ones in a new producer (whose init ends what the old one left), and so do fences, unless
// another instance lives: then RunError. The outcome of an uncertain commit is for the broker to
// tell: every way but a clean commit reports `aborted`, and the caller re-reads the committed
// offsets.
#include "stream/kafka/transaction.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <functional>

#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/consumer_impl.hpp"
#include "stream/kafka/errors.hpp"
#include "stream/kafka/sink_client.hpp"
#include "stream/kafka/transaction_calls.hpp"
#include "stream/kafka/wait.hpp"

namespace tidemark {

using kafka::ErrorClass;
using kafka::ErrorHandle;
using kafka::text_of;
using kafka::Wait;
using Clock = std::chrono::steady_clock;

struct TransactionalSink::Impl : kafka::SinkClient {
  using SinkClient::SinkClient;

  void init(bool outlast);
  void recycle(const std::string& why);
  void replace(ErrorClass kind, const std::string& why);
  void begin_transaction();
  ErrorHandle persist(const std::function<rd_kafka_error_s*()>& call) {
    return kafka::persist(client.get(), settings, call);
  }
  CommitResult end_badly(const ErrorHandle& error, const char* call);
  void drop(const std::string& reason);
  void settle();

  bool in_transaction = false;
  GroupConsumer::Impl* group = nullptr;  // of the last commit: who knows whether another one lives
  Clock::time_point began;
};

void TransactionalSink::Impl::init(bool outlast) {
  kafka::init_transactions(client.get(), settings, Wait(settings, watch, outlast));
}

/// A new producer bumps the epoch: whatever the old one still has under way is refused from now on.
void TransactionalSink::Impl::recycle(const std::string& why) {
  spdlog::info("kafka: a new producer for '{}': {}", settings.transactional_id, why);
  count([](Counters& c) { ++c.recycles; });
  close();
  watch.transport_trouble.store(false, std::memory_order_relaxed);
  open();
  init(settings.outlast_outages);
}

/// The producer is of no more use. A fence is another instance's, unless none lives: a coordinator
/// that ends a transaction which an outage held open too long fences its producer as well.
void TransactionalSink::Impl::replace(ErrorClass kind, const std::string& why) {
  if (kind == ErrorClass::fenced && (group == nullptr || group->another_instance_lives())) {
    kafka::throw_fenced(settings, why);
  }
  recycle(why);
}

void TransactionalSink::Impl::begin_transaction() {
  begin();
  ErrorHandle error(rd_kafka_begin_transaction(client.get()));
  if (error) {
    replace(kafka::classify_transactional(error.get()), text_of(error));
    error.reset(rd_kafka_begin_transaction(client.get()));
    if (error) throw RunError("kafka: a transaction cannot be begun: " + text_of(error));
  }
  in_transaction = true;
  began = Clock::now();
  crash_point("begun");
}

void TransactionalSink::Impl::drop(const std::string& reason) {
  in_transaction = false;
  count([](Counters& c) { ++c.aborts; });
  spdlog::warn("kafka: transaction of '{}' aborted: {}", settings.transactional_id, reason);
  const ErrorHandle error =
      persist([this] { return rd_kafka_abort_transaction(client.get(), -1); });
  if (error) {
    replace(kafka::classify_transactional(error.get()),
            fmt::format("its abort failed ({})", text_of(error)));
  } else {
    settle();
  }
  judge_undelivered();
}

/// librdkafka speaks no KIP-890: after trouble on the wire a late request of this producer could
/// end a later transaction, so it gets no later one.
void TransactionalSink::Impl::settle() {
  if (watch.transport_trouble.exchange(false, std::memory_order_relaxed)) {
    recycle("trouble on the wire inside a transaction");
  }
}

CommitResult TransactionalSink::Impl::end_badly(const ErrorHandle& error, const char* call) {
  std::string reason = fmt::format("{}: {}", call, text_of(error));
  if (!undelivered_text.empty() && undelivered != RD_KAFKA_RESP_ERR_NO_ERROR) {
    reason += "; " + undelivered_text;
  }
  const ErrorClass kind = kafka::classify_transactional(error.get());
  if (kind == ErrorClass::fenced || kind == ErrorClass::fatal) {
    in_transaction = false;
    count([](Counters& c) { ++c.aborts; });
    spdlog::warn("kafka: transaction of '{}' ended uncertain: {}", settings.transactional_id,
                 reason);
    replace(kind, reason);
  } else {
    drop(reason);
  }
  return {CommitResult::Status::aborted, reason};
}

TransactionalSink::TransactionalSink(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}
TransactionalSink::~TransactionalSink() = default;

void TransactionalSink::init() {
  impl_->init(false);
}

void TransactionalSink::produce(OutputBatch batch) {
  Impl& self = *impl_;
  if (batch.records.empty()) return;
  if (!self.in_transaction) self.begin_transaction();
  self.add_all(batch);
}

CommitResult TransactionalSink::commit(std::span<const InputPosition> positions,
                                       GroupConsumer& consumer) {
  Impl& self = *impl_;
  self.group = consumer.impl_.get();
  if (!self.in_transaction && positions.empty()) return {};
  if (!self.in_transaction) self.begin_transaction();
  if (!self.failed.empty()) {
    const std::string reason = self.failed;
    self.drop(reason);
    return {CommitResult::Status::aborted, reason};
  }
  const auto from = Clock::now();
  if (!positions.empty()) {
    const kafka::PartitionList list = self.group->list_at(positions);
    // The metadata is the fence against a zombie member: it is taken afresh for each commit.
    const kafka::GroupMetadata group = self.group->group_metadata();
    if (!group) {
      const std::string reason = "the group has dropped this member";
      self.drop(reason);
      return {CommitResult::Status::aborted, reason};
    }
    const ErrorHandle error = self.persist([&] {
      return rd_kafka_send_offsets_to_transaction(self.client.get(), list.get(), group.get(), -1);
    });
    if (error) return self.end_badly(error, "send_offsets");
  }
  crash_point("offsets-sent");
  const ErrorHandle error =
      self.persist([&self] { return rd_kafka_commit_transaction(self.client.get(), -1); });
  if (error) return self.end_badly(error, "commit");
  crash_point("committed");
  self.in_transaction = false;
  self.count([&](Counters& c) {
    ++c.commits;
    c.records += self.records;
    c.commit_seconds += std::chrono::duration<double>(Clock::now() - from).count();
  });
  self.settle();
  return {};
}

void TransactionalSink::abort(const std::string& reason) {
  if (impl_->in_transaction) impl_->drop(reason);
}

std::size_t TransactionalSink::records_in_transaction() const {
  return impl_->in_transaction ? impl_->records : 0;
}

std::uint64_t TransactionalSink::bytes_in_transaction() const {
  return impl_->in_transaction ? impl_->bytes : 0;
}

std::int64_t TransactionalSink::transaction_age_ms() const {
  if (!impl_->in_transaction) return 0;
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - impl_->began).count();
}

Sink::Counters TransactionalSink::counters() const {
  return impl_->counted();
}

}  // namespace tidemark
