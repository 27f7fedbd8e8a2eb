// The transactional producer. Retriable calls are called again, abortable ones end in an abort,
// fatal ones in a new producer (whose init ends what the old one left), and so do fences, unless
// another instance lives: then RunError. The outcome of an uncertain commit is for the broker to
// tell: every way but a clean commit reports `aborted`, and the caller re-reads the committed
// offsets.
#include "stream/kafka/transaction.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/consumer_impl.hpp"
#include "stream/kafka/errors.hpp"
#include "stream/kafka/produce.hpp"
#include "stream/kafka/transaction_calls.hpp"
#include "stream/kafka/wait.hpp"

namespace tidemark {

using kafka::ErrorClass;
using kafka::ErrorHandle;
using kafka::text_of;
using kafka::Wait;
using Clock = std::chrono::steady_clock;

struct TransactionalSink::Impl {
  explicit Impl(const KafkaSettings& given) : settings(given) { open(); }

  ~Impl() { close(); }

  void open() {
    watch.owner = this;
    kafka::ConfHandle conf = kafka::make_conf(settings, kafka::ClientKind::producer, watch);
    // Without a delivery report flush polls in steps of 10 ms: it more than doubles a commit.
    rd_kafka_conf_set_dr_msg_cb(
        conf.get(), [](rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
          if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
          static_cast<Impl*>(static_cast<kafka::ClientWatch*>(opaque)->owner)->note_undelivered(*m);
        });
    client = kafka::make_client(std::move(conf), kafka::ClientKind::producer);
    for (std::size_t i = 0; i < topics.size(); ++i) {
      const std::string& name = settings.output_topics[i];
      if (!name.empty()) {
        topics[i].reset(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
      }
    }
  }

  /// What is still queued belongs to a transaction that will never be committed.
  void close() {
    if (!client) return;
    rd_kafka_purge(client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client.get(), 1000);  // takes the reports of what was purged
    for (auto& topic : topics) topic.reset();
    client.reset();
  }

  void note_undelivered(const rd_kafka_message_t& message) {
    if (undelivered != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    undelivered = message.err;
    undelivered_place = {rd_kafka_topic_name(message.rkt), message.partition};
    undelivered_text = fmt::format("{}: a record of {} bytes: {}", rd_kafka_topic_name(message.rkt),
                                   message.len, rd_kafka_err2str(message.err));
  }

  void init(bool outlast);
  void recycle(const std::string& why);
  void replace(ErrorClass kind, const std::string& why);
  void judge_undelivered();
  void begin();
  void add(const OutputBatch& batch, const OutputRecord& record);
  ErrorHandle persist(const std::function<rd_kafka_error_s*()>& call) {
    return kafka::persist(client.get(), settings, call);
  }
  CommitResult end_badly(const ErrorHandle& error, const char* call);
  void drop(const std::string& reason);
  void settle();

  KafkaSettings settings;
  kafka::ClientWatch watch;  // before the client, which points at it
  kafka::ClientHandle client;
  std::array<kafka::TopicHandle, output_topic_count> topics;
  bool in_transaction = false;
  std::string failed;  // the transaction cannot be committed any more, and why
  rd_kafka_resp_err_t undelivered = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string undelivered_text;
  std::pair<std::string, int> undelivered_place;
  GroupConsumer::Impl* group = nullptr;  // of the last commit: who knows whether another one lives
  Clock::time_point began;
  std::size_t records = 0;
  std::uint64_t bytes = 0;
  template <typename Change>
  void count(Change change) {
    const std::lock_guard lock(counters_mutex);
    change(counters);
  }

  mutable std::mutex counters_mutex;  // metrics are read from another thread
  Counters counters;
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

void TransactionalSink::Impl::begin() {
  watch.transport_trouble.store(false, std::memory_order_relaxed);
  failed.clear();
  undelivered = RD_KAFKA_RESP_ERR_NO_ERROR;
  ErrorHandle error(rd_kafka_begin_transaction(client.get()));
  if (error) {
    replace(kafka::classify_transactional(error.get()), text_of(error));
    error.reset(rd_kafka_begin_transaction(client.get()));
    if (error) throw RunError("kafka: a transaction cannot be begun: " + text_of(error));
  }
  in_transaction = true;
  records = 0;
  bytes = 0;
  began = Clock::now();
  crash_point("begun");
}

void TransactionalSink::Impl::add(const OutputBatch& batch, const OutputRecord& record) {
  rd_kafka_topic_s* topic = topics[static_cast<std::size_t>(record.topic)].get();
  if (topic == nullptr) {
    throw std::logic_error(fmt::format("no topic is configured for {}", name_of(record.topic)));
  }
  constexpr int wait_ms = 20;
  for (int waited_ms = 0;; waited_ms += wait_ms) {
    const auto error = static_cast<rd_kafka_resp_err_t>(
        kafka::produce_record(client.get(), topic, settings, batch, record));
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
    count([](Counters& c) { ++c.queue_full_waits; });
    rd_kafka_poll(client.get(), wait_ms);
  }
  ++records;
  bytes += record.value_bytes + record.key_bytes;
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

/// Throws for what the same records will meet again: going back and trying would never end.
void TransactionalSink::Impl::judge_undelivered() {
  const ErrorClass kind = kafka::classify(undelivered);
  if (kind == ErrorClass::fatal) {
    throw RunError(fmt::format("kafka refuses a record for good: {}", undelivered_text));
  }
  if (kind == ErrorClass::unknown_topic) {
    kafka::query_bounds(client.get(), Wait(settings, watch), undelivered_place.first,
                        std::max(0, undelivered_place.second));
  }
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

void TransactionalSink::produce(const OutputBatch& batch) {
  Impl& self = *impl_;
  if (batch.records.empty()) return;
  if (!self.in_transaction) self.begin();
  constexpr std::size_t poll_every = 1024;
  for (std::size_t i = 0; i < batch.records.size() && self.failed.empty(); ++i) {
    self.add(batch, batch.records[i]);
    if (i % poll_every == 0) rd_kafka_poll(self.client.get(), 0);
  }
  rd_kafka_poll(self.client.get(), 0);
}

CommitResult TransactionalSink::commit(std::span<const InputPosition> positions,
                                       GroupConsumer& consumer) {
  Impl& self = *impl_;
  self.group = consumer.impl_.get();
  if (!self.in_transaction && positions.empty()) return {};
  if (!self.in_transaction) self.begin();
  if (!self.failed.empty()) {
    const std::string reason = self.failed;
    self.drop(reason);
    return {CommitResult::Status::aborted, reason};
  }
  const auto from = Clock::now();
  if (!positions.empty()) {
    kafka::PartitionList list(
        rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
    for (const InputPosition& p : positions) {
      if (p.source == Source::control) throw std::logic_error("control has no group offset");
      rd_kafka_topic_partition_list_add(list.get(), self.settings.input(p.source).c_str(),
                                        p.partition)
          ->offset = p.next_offset;
    }
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

TransactionalSink::Counters TransactionalSink::counters() const {
  const std::lock_guard lock(impl_->counters_mutex);
  return impl_->counters;
}

}  // namespace tidemark
