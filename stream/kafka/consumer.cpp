// The group member. Rebalances are served inside poll: an assignment is answered at once with an
// empty one, so that the member is stable while the caller recovers, and partitions are fetched
// only after start(); a revocation is answered by unassign(), so that the caller can commit first.
#include "stream/kafka/consumer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/consumer_impl.hpp"
#include "stream/kafka/messages.hpp"

namespace tidemark {

using kafka::Deadline;
using kafka::PartitionList;

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
  kafka::ConfHandle conf = kafka::make_conf(settings, kafka::ClientKind::group_consumer, watch);
  rd_kafka_conf_set_rebalance_cb(
      conf.get(), [](rd_kafka_t* rk, rd_kafka_resp_err_t error,
                     rd_kafka_topic_partition_list_t* partitions, void* opaque) {
        auto* self = static_cast<Impl*>(static_cast<kafka::ClientWatch*>(opaque)->owner);
        self->rebalance(rk, error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, partitions);
      });
  client = kafka::make_client(std::move(conf), kafka::ClientKind::group_consumer);
  rd_kafka_poll_set_consumer(client.get());
  queue.reset(rd_kafka_queue_get_consumer(client.get()));
}

void GroupConsumer::Impl::rebalance(rd_kafka_s* rk, bool assign,
                                    const rd_kafka_topic_partition_list_s* partitions) {
  if (assign) {
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
  if (fatal == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
    throw RunError(fmt::format(
        "fenced: another instance uses group.instance.id '{}' (kafka.transactional_id) in group "
        "'{}'; give every instance its own",
        settings.transactional_id, settings.group_id));
  }
  throw RunError(fmt::format("kafka consumer failed for good: {}", text.data()));
}

void GroupConsumer::Impl::throw_if_unanswerable(int error) {
  throw_if_fatal();
  if (error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
    throw RunError(fmt::format("kafka does not let us use group '{}'", settings.group_id));
  }
}

/// Errors that arrive in place of a record. Those of the transport mend themselves.
void GroupConsumer::Impl::handle_error(const rd_kafka_message_s& message) {
  const char* topic = message.rkt ? rd_kafka_topic_name(message.rkt) : "";
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__FATAL:
      throw_if_fatal();
      return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      throw RunError(fmt::format(
          "{} [{}]: the log no longer has the offset to go on from: {}; its retention is shorter "
          "than the engine was away, or the topic was made anew",
          topic, message.partition, rd_kafka_message_errstr(&message)));
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      throw RunError(
          fmt::format("{} [{}]: the topic or partition is gone", topic, message.partition));
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      throw RunError(fmt::format("kafka does not let us read {} as group '{}': {}", topic,
                                 settings.group_id, rd_kafka_err2str(message.err)));
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

void GroupConsumer::subscribe() {
  std::vector<std::pair<std::string, int>> topics;
  for (const Source source : keyed_sources) {
    const std::string& topic = impl_->settings.input(source);
    if (!topic.empty()) topics.emplace_back(topic, RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(impl_->client.get(), list_of(topics).get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw RunError(fmt::format("kafka: cannot subscribe: {}", rd_kafka_err2str(error)));
  }
}

GroupConsumer::Polled GroupConsumer::poll(std::size_t records_max, int timeout_ms) {
  Impl& self = *impl_;
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
  if (count == 0) self.throw_if_fatal();
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
  const Deadline deadline(impl_->settings);
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  do {
    error = rd_kafka_committed(impl_->client.get(), list.get(), deadline.slice_ms(5000));
    for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; ++i) {
      error = list->elems[i].err;
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) impl_->throw_if_unanswerable(error);
  } while (error != RD_KAFKA_RESP_ERR_NO_ERROR && !deadline.over());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw RunError(fmt::format("kafka: the committed offsets of group '{}' cannot be read: {}",
                               impl_->settings.group_id, rd_kafka_err2str(error)));
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

void GroupConsumer::close() {
  if (!impl_->client) return;
  impl_->closing = true;
  rd_kafka_assign(impl_->client.get(), nullptr);
  impl_->forget_all();
  rd_kafka_consumer_close(impl_->client.get());
  impl_->queue.reset();
  impl_->client.reset();
}

}  // namespace tidemark
