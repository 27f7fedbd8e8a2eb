// The group member. Rebalances are served inside poll: an assignment is answered at once with an
// empty one, so that the member is stable while the caller recovers, and partitions are fetched
// only after start(); a revocation is answered by unassign(), so that the caller can commit first.
#include "stream/kafka/consumer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/consumer_impl.hpp"
#include "stream/kafka/errors.hpp"
#include "stream/kafka/fence.hpp"
#include "stream/kafka/messages.hpp"
#include "stream/kafka/wait.hpp"

namespace tidemark {

using kafka::PartitionList;
using kafka::Wait;

namespace {

PartitionList list_of(const std::vector<std::pair<std::string, int>>& partitions) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const auto& [topic, partition] : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  }
  return list;
}

/// Of all partitions: the numbers, ascending, once each.
std::vector<int> numbers_of(const std::set<std::pair<int, int>>& held) {
  std::vector<int> numbers;
  for (const auto& [partition, source] : held) {
    if (numbers.empty() || numbers.back() != partition) numbers.push_back(partition);
  }
  return numbers;
}

}  // namespace

GroupConsumer::Impl::Impl(const KafkaSettings& given) : settings(given) {
  watch.owner = this;
  client = make_member();
  queue.reset(rd_kafka_queue_get_consumer(client.get()));
}

kafka::ClientHandle GroupConsumer::Impl::make_member() {
  kafka::ConfHandle conf = kafka::make_conf(settings, kafka::ClientKind::group_consumer, watch);
  rd_kafka_conf_set_rebalance_cb(
      conf.get(), [](rd_kafka_t* rk, rd_kafka_resp_err_t error,
                     rd_kafka_topic_partition_list_t* partitions, void* opaque) {
        auto* self = static_cast<Impl*>(static_cast<kafka::ClientWatch*>(opaque)->owner);
        self->rebalance(rk, error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, partitions);
      });
  kafka::ClientHandle made = kafka::make_client(std::move(conf), kafka::ClientKind::group_consumer);
  rd_kafka_poll_set_consumer(made.get());
  return made;
}

void GroupConsumer::Impl::rebalance(rd_kafka_s* rk, bool assign,
                                    const rd_kafka_topic_partition_list_s* partitions) {
  if (assign) {
    was_member = true;
    for (int i = 0; i < partitions->cnt; ++i) {
      const rd_kafka_topic_partition_t& p = partitions->elems[i];
      if (const auto source = source_of(p.topic)) {
        held.emplace(p.partition, static_cast<int>(*source));
      }
    }
    pending.assigned = numbers_of(held);
    const PartitionList none = list_of({});
    rd_kafka_assign(rk, none.get());
    return;
  }
  const bool known_to_caller = pending.assigned.empty() && !held.empty();
  const bool lost = rd_kafka_assignment_lost(rk) != 0;
  if (!known_to_caller || closing) {
    pending.assigned.clear();
    forget_all();
    rd_kafka_assign(rk, nullptr);
    return;
  }
  pending.revoked = numbers_of(held);
  pending.lost = pending.lost || lost;
}

void GroupConsumer::Impl::forget_all() {
  held.clear();
  started.clear();
  paused.clear();
  restart = false;
}

std::optional<Source> GroupConsumer::Impl::source_of(std::string_view topic) const {
  for (const Source source : keyed_sources) {
    if (settings.input(source) == topic) return source;
  }
  return std::nullopt;
}

/// One assign() for all partitions that run: fetchers start at explicit offsets, and whatever older
/// fetches still bring is outdated and dropped by the client. The client keeps a pause beyond an
/// assignment, so every partition is resumed first and paused again where the caller still wants
/// it.
void GroupConsumer::Impl::apply_starts() {
  restart = false;
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(held.size())));
  PartitionList stopped(rd_kafka_topic_partition_list_new(static_cast<int>(paused.size())));
  for (const auto& [partition, source] : held) {
    const auto next = started.find(partition);
    if (next == started.end()) continue;
    const std::string& topic = settings.input_topics[static_cast<std::size_t>(source)];
    const std::int64_t offset = next->second[static_cast<std::size_t>(source)];
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
        offset == offset_none ? RD_KAFKA_OFFSET_BEGINNING : offset;
    if (paused.count({partition, source}) != 0) {
      rd_kafka_topic_partition_list_add(stopped.get(), topic.c_str(), partition);
    }
  }
  const rd_kafka_resp_err_t error = rd_kafka_assign(client.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw RunError(fmt::format("kafka: cannot start partitions: {}", rd_kafka_err2str(error)));
  }
  rd_kafka_resume_partitions(client.get(), list.get());
  if (stopped->cnt > 0) rd_kafka_pause_partitions(client.get(), stopped.get());
}

void GroupConsumer::Impl::throw_if_fatal() {
  std::array<char, 512> text{};
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(client.get(), text.data(), text.size());
  if (fatal == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw RunError(fmt::format("kafka consumer failed for good: {}", text.data()));
}

bool GroupConsumer::Impl::is_fenced() const {
  return kafka::classify(rd_kafka_fatal_error(client.get(), nullptr, 0)) ==
         kafka::ErrorClass::fenced;
}

void GroupConsumer::Impl::outlive_fence() {
  if (another_instance_lives()) {
    throw RunError(fmt::format(
        "fenced: another instance uses group.instance.id '{}' (kafka.transactional_id) in group "
        "'{}'; give every instance its own",
        settings.transactional_id, settings.group_id));
  }
  spdlog::warn("kafka: no other instance uses '{}': joining group '{}' again",
               settings.transactional_id, settings.group_id);
  Polled told;
  if (pending.assigned.empty()) told.revoked = numbers_of(held);
  told.lost = !told.revoked.empty();
  close_member();
  kafka::ClientHandle made = make_member();
  {
    const std::lock_guard lock(client_mutex);
    client = std::move(made);
  }
  queue.reset(rd_kafka_queue_get_consumer(client.get()));
  closing = false;
  pending = std::move(told);
  subscribe();
}

kafka::GroupMetadata GroupConsumer::Impl::group_metadata() {
  const std::lock_guard lock(client_mutex);
  if (!client) return nullptr;
  kafka::GroupMetadata metadata(rd_kafka_consumer_group_metadata(client.get()));
  const bool member = rd_kafka_consumer_group_metadata_generation_id(metadata.get()) >= 0;
  return member || !was_member ? std::move(metadata) : nullptr;
}

bool GroupConsumer::Impl::another_instance_lives() {
  std::array<char, 32> session_ms{};
  {
    const std::lock_guard lock(client_mutex);
    std::size_t size = session_ms.size();
    if (client) {
      rd_kafka_conf_get(rd_kafka_conf(client.get()), "session.timeout.ms", session_ms.data(),
                        &size);
    }
  }
  return kafka::another_instance_lives(
      settings, std::chrono::milliseconds(std::atoi(session_ms.data())), [this] {
        const std::lock_guard lock(client_mutex);
        char* id = client ? rd_kafka_memberid(client.get()) : nullptr;
        std::string own = id ? id : "";
        if (id != nullptr) rd_kafka_mem_free(client.get(), id);
        return own;
      });
}

/// Errors that arrive in place of a record. Those of the transport mend themselves.
void GroupConsumer::Impl::handle_error(const rd_kafka_message_s& message) {
  const char* topic = message.rkt ? rd_kafka_topic_name(message.rkt) : "";
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    throw RunError(fmt::format(
        "{} [{}]: the log no longer has the offset to go on from: {}; its retention is shorter "
        "than the engine was away, or the topic was made anew",
        topic, message.partition, rd_kafka_message_errstr(&message)));
  }
  switch (kafka::classify(message.err)) {
    case kafka::ErrorClass::fatal:
      if (message.err == RD_KAFKA_RESP_ERR__FATAL) return;  // poll() looks at it
      throw RunError(fmt::format("kafka does not let us read {} as group '{}': {}", topic,
                                 settings.group_id, rd_kafka_err2str(message.err)));
    case kafka::ErrorClass::unknown_topic:
      // Gone, or its broker has only just come back: a question about its bounds tells.
      if (message.partition >= 0) {
        kafka::query_bounds(client.get(), Wait(settings, watch), topic, message.partition);
        return;
      }
      throw RunError(fmt::format("{}: there is no such topic", topic));
    default:
      spdlog::debug("kafka consumer: {}", rd_kafka_message_errstr(&message));
  }
}

/// Sorts what came into records and ends, and keeps the positions. The messages are destroyed by
/// the caller, whatever happens here.
void GroupConsumer::Impl::sort_out(std::span<rd_kafka_message_s* const> got, Polled& polled) {
  kept.clear();
  sources.clear();
  const rd_kafka_topic_t* topic = nullptr;
  std::optional<Source> source;
  for (rd_kafka_message_t* m : got) {
    if (m->rkt != topic) {
      topic = m->rkt;
      source = topic ? source_of(rd_kafka_topic_name(topic)) : std::nullopt;
    }
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      handle_error(*m);
      continue;
    }
    const auto running = started.find(m->partition);
    if (!source || running == started.end()) continue;
    std::int64_t& next = running->second[static_cast<std::size_t>(*source)];
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      next = m->offset;
      polled.ends.push_back({*source, m->partition, m->offset});
    } else {
      next = m->offset + 1;
      kept.push_back(m);
      sources.push_back(*source);
    }
  }
  polled.records = kafka::copy_messages(kept);
  for (std::size_t i = 0; i < kept.size(); ++i) polled.records->records[i].source = sources[i];
  // An end with records behind it in the same poll is an end no more.
  std::erase_if(polled.ends, [this](const EndOfPartition& end) {
    return started[end.partition][static_cast<std::size_t>(end.source)] != end.offset;
  });
}

GroupConsumer::GroupConsumer(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}

GroupConsumer::~GroupConsumer() {
  if (impl_->client) close();
}

void GroupConsumer::Impl::subscribe() {
  std::vector<std::pair<std::string, int>> topics;
  for (const Source source : keyed_sources) {
    const std::string& topic = settings.input(source);
    if (!topic.empty()) topics.emplace_back(topic, RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client.get(), list_of(topics).get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw RunError(fmt::format("kafka: cannot subscribe: {}", rd_kafka_err2str(error)));
  }
}

void GroupConsumer::subscribe() {
  impl_->subscribe();
}

GroupConsumer::Polled GroupConsumer::poll(std::size_t records_max, int timeout_ms) {
  Impl& self = *impl_;
  if (self.is_fenced()) self.outlive_fence();
  // A lost place is told alone: its partitions may come back with the next poll.
  if (!self.pending.revoked.empty()) {
    Polled polled = std::exchange(self.pending, {});
    polled.records = std::make_shared<RawBatch>();
    return polled;
  }
  if (self.restart) self.apply_starts();
  if (self.messages.size() < records_max) self.messages.resize(records_max);
  const ssize_t got =
      rd_kafka_consume_batch_queue(self.queue.get(), timeout_ms, self.messages.data(), records_max);
  const std::size_t count = got > 0 ? static_cast<std::size_t>(got) : 0;
  struct Release {
    std::span<rd_kafka_message_s*> all;
    ~Release() {
      for (rd_kafka_message_s* m : all) rd_kafka_message_destroy(m);
    }
  } release{{self.messages.data(), count}};
  Polled polled = std::exchange(self.pending, {});
  self.sort_out(release.all, polled);
  if (!self.is_fenced()) self.throw_if_fatal();
  return polled;
}

void GroupConsumer::start(int partition, const SourceOffsets& offsets) {
  impl_->started[partition] = offsets;
  std::erase_if(impl_->paused, [&](const auto& place) { return place.first == partition; });
  impl_->restart = true;
}

void GroupConsumer::unassign(const std::vector<int>&) {
  // `range` revokes everything at once; what comes back is assigned anew.
  impl_->forget_all();
  rd_kafka_assign(impl_->client.get(), nullptr);
}

void GroupConsumer::pause(Source source, int partition) {
  if (!impl_->paused.insert({partition, static_cast<int>(source)}).second) return;
  if (impl_->restart || impl_->started.count(partition) == 0) return;  // apply_starts() does it
  const PartitionList one = list_of({{impl_->settings.input(source), partition}});
  rd_kafka_pause_partitions(impl_->client.get(), one.get());
}

void GroupConsumer::resume(Source source, int partition) {
  if (impl_->paused.erase({partition, static_cast<int>(source)}) == 0) return;
  if (impl_->restart || impl_->started.count(partition) == 0) return;
  const PartitionList one = list_of({{impl_->settings.input(source), partition}});
  rd_kafka_resume_partitions(impl_->client.get(), one.get());
}

SourceOffsets GroupConsumer::committed(int partition) {
  std::vector<std::pair<std::string, int>> wanted;
  for (const Source source : keyed_sources) {
    const std::string& topic = impl_->settings.input(source);
    if (!topic.empty()) wanted.emplace_back(topic, partition);
  }
  const PartitionList list = list_of(wanted);
  const std::string what = fmt::format("kafka: the committed offsets of group '{}' cannot be read",
                                       impl_->settings.group_id);
  Wait wait(impl_->settings, impl_->watch);
  while (true) {
    rd_kafka_resp_err_t error =
        rd_kafka_committed(impl_->client.get(), list.get(), wait.attempt_ms());
    for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; ++i) {
      error = list->elems[i].err;
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (impl_->is_fenced()) {
      impl_->outlive_fence();
    } else {
      impl_->throw_if_fatal();
      wait.after(error, what);
    }
  }
  SourceOffsets offsets;
  offsets.fill(offset_none);
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& p = list->elems[i];
    const auto source = impl_->source_of(p.topic);
    if (source && p.offset >= 0) offsets[static_cast<std::size_t>(*source)] = p.offset;
  }
  return offsets;
}

std::int64_t GroupConsumer::committed(Source source, int partition) {
  return committed(partition)[static_cast<std::size_t>(source)];
}

void GroupConsumer::Impl::close_member() {
  closing = true;
  rd_kafka_assign(client.get(), nullptr);
  forget_all();
  rd_kafka_consumer_close(client.get());
  queue.reset();
  const std::lock_guard lock(client_mutex);
  client.reset();
}

void GroupConsumer::close() {
  if (impl_->client) impl_->close_member();
}

}  // namespace tidemark
