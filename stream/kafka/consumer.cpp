// What the member delivers: records, ends of partitions, errors, committed offsets. Whose the
// partitions are is settled in membership.cpp.
#include "stream/kafka/consumer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>
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

GroupConsumer::Impl::Impl(const KafkaSettings& given) : settings(given) {
  for (const Source source : keyed_sources) {
    if (!settings.input(source).empty()) inputs.push_back(source);
  }
  watch.owner = this;
  client = make_member();
  queue.reset(rd_kafka_queue_get_consumer(client.get()));
}

kafka::PartitionList GroupConsumer::Impl::one(Source source, int partition) const {
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), settings.input(source).c_str(), partition);
  return list;
}

std::optional<Source> GroupConsumer::Impl::source_of(std::string_view topic) const {
  for (const Source source : inputs) {
    if (settings.input(source) == topic) return source;
  }
  return std::nullopt;
}

void GroupConsumer::Impl::throw_if_fatal() {
  std::array<char, 512> text{};
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(client.get(), text.data(), text.size());
  if (fatal == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw RunError(fmt::format("kafka consumer failed for good: {}", text.data()));
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
    const auto place = started.find(m->partition);
    if (!source || place == started.end()) continue;
    std::int64_t& next = place->second[static_cast<std::size_t>(*source)];
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      next = m->offset;
      polled.ends.push_back({*source, m->partition, m->offset});
    } else {
      next = m->offset + 1;
      kept.push_back(m);
      sources.push_back(*source);
    }
  }
  polled.records = kafka::copy_messages(kept, settings.keep_headers);
  for (std::size_t i = 0; i < kept.size(); ++i) polled.records->records[i].source = sources[i];
  // An end with records behind it in the same poll is an end no more.
  std::erase_if(polled.ends, [this](const EndOfPartition& end) {
    return started[end.partition][static_cast<std::size_t>(end.source)] != end.offset;
  });
}

GroupConsumer::GroupConsumer(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}

GroupConsumer::~GroupConsumer() {
  if (impl_->client) impl_->close_member(false);
}

void GroupConsumer::subscribe() {
  impl_->subscribe();
}

void GroupConsumer::take(const std::vector<int>& partitions) {
  impl_->held.insert(partitions.begin(), partitions.end());
  impl_->pending.assigned = partitions;
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
  if (!self.restart.empty()) self.apply_starts();
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
  if (polled.lost) kafka::throw_if_replaced(self.settings, self.member_id);
  if (!self.is_fenced()) self.throw_if_fatal();
  return polled;
}

void GroupConsumer::start(int partition, const SourceOffsets& offsets) {
  impl_->started[partition] = offsets;
  std::erase_if(impl_->paused, [&](const auto& place) { return place.first == partition; });
  impl_->restart.insert(partition);
}

void GroupConsumer::unassign(const std::vector<int>& revoked) {
  impl_->release(revoked);
}

void GroupConsumer::pause(Source source, int partition) {
  if (!impl_->paused.insert({partition, static_cast<int>(source)}).second) return;
  if (!impl_->is_fetched(partition)) return;  // apply_starts() does it
  rd_kafka_pause_partitions(impl_->client.get(), impl_->one(source, partition).get());
}

void GroupConsumer::resume(Source source, int partition) {
  if (impl_->paused.erase({partition, static_cast<int>(source)}) == 0) return;
  if (!impl_->is_fetched(partition)) return;
  rd_kafka_resume_partitions(impl_->client.get(), impl_->one(source, partition).get());
}

SourceOffsets GroupConsumer::committed(int partition) {
  const PartitionList list = impl_->list_of({partition});
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

std::int64_t GroupConsumer::known_end(Source source, int partition) const {
  std::int64_t begin = 0, end = RD_KAFKA_OFFSET_INVALID;
  rd_kafka_get_watermark_offsets(impl_->client.get(), impl_->settings.input(source).c_str(),
                                 partition, &begin, &end);
  return end < 0 ? offset_none : end;
}

PartitionList GroupConsumer::Impl::list_at(std::span<const InputPosition> positions) const {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const InputPosition& p : positions) {
    if (p.source == Source::control) throw std::logic_error("control has no group offset");
    rd_kafka_topic_partition_t* const place = rd_kafka_topic_partition_list_add(
        list.get(), settings.input(p.source).c_str(), p.partition);
    place->offset = p.next_offset;
    // Who committed: see predecessors.hpp. The list frees it.
    place->metadata = strdup(settings.transactional_id.c_str());
    place->metadata_size = settings.transactional_id.size();
  }
  return list;
}

std::string GroupConsumer::commit(std::span<const InputPosition> positions) {
  if (positions.empty()) return {};
  Impl& self = *impl_;
  const PartitionList list = self.list_at(positions);
  constexpr std::chrono::milliseconds between{50};
  Wait wait(self.settings, self.watch);
  while (true) {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    {
      const std::lock_guard lock(self.client_mutex);
      if (self.client) error = rd_kafka_commit(self.client.get(), list.get(), 0);
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS) {
      std::this_thread::sleep_for(between);  // the group is settled in a moment
    } else if (kafka::classify(error) == kafka::ErrorClass::away) {
      wait.after(error, "kafka: offsets cannot be committed");
    } else {
      return fmt::format("committing offsets: {}", rd_kafka_err2str(error));
    }
  }
}

void GroupConsumer::close() {
  if (impl_->client) impl_->close_member(true);
}

}  // namespace tidemark
