// Which partitions are ours, and since when. The group shares out one topic only; partition p of
// the other sources follows it, so that all of a merchant's events have one owner whatever the
// assignor does. Rebalances are incremental and served inside poll: an assignment is answered at
// once with nothing, so that the member is stable while the caller recovers, and partitions are
// fetched only after start(); a revocation is answered by unassign(), so that the caller can commit
// first.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/kafka/consumer_impl.hpp"
#include "stream/kafka/errors.hpp"
#include "stream/kafka/fence.hpp"

namespace tidemark {

using kafka::PartitionList;

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

void GroupConsumer::Impl::subscribe() {
  if (inputs.empty()) throw UsageError("kafka.topics: no input has a topic");
  const std::string& leading = settings.input(inputs.front());
  const PartitionList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), leading.c_str(), RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client.get(), topics.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw RunError(fmt::format("kafka: cannot subscribe: {}", rd_kafka_err2str(error)));
  }
}

void GroupConsumer::Impl::rebalance(rd_kafka_s* rk, bool assign,
                                    const rd_kafka_topic_partition_list_s* partitions) {
  std::vector<int> numbers;
  for (int i = 0; i < partitions->cnt; ++i) numbers.push_back(partitions->elems[i].partition);
  std::sort(numbers.begin(), numbers.end());
  if (assign) {
    was_member = true;
    held.insert(numbers.begin(), numbers.end());
    pending.assigned.insert(pending.assigned.end(), numbers.begin(), numbers.end());
    const PartitionList none = list_of({});
    const kafka::ErrorHandle error(rd_kafka_incremental_assign(rk, none.get()));
    if (error) spdlog::debug("kafka: assign: {}", rd_kafka_error_string(error.get()));
    return;
  }
  const bool lost = rd_kafka_assignment_lost(rk) != 0;
  // What the caller has not heard of yet needs no farewell.
  const auto unheard = [this](int number) {
    return closing || std::erase(pending.assigned, number) > 0 || held.count(number) == 0;
  };
  const auto heard_end = std::stable_partition(numbers.begin(), numbers.end(),
                                               [&](int number) { return !unheard(number); });
  const std::vector<int> quiet(heard_end, numbers.end());
  numbers.erase(heard_end, numbers.end());
  if (numbers.empty()) {
    release(quiet);
    return;
  }
  for (const int number : quiet) held.erase(number);
  pending.revoked.insert(pending.revoked.end(), numbers.begin(), numbers.end());
  pending.lost = pending.lost || lost;
}

PartitionList GroupConsumer::Impl::list_of(const std::vector<int>& partitions) const {
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  for (const int partition : partitions) {
    for (const Source source : inputs) {
      const std::string& topic = settings.input(source);
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
    }
  }
  return list;
}

/// Takes partitions out of what the client fetches; during a revocation this is the answer to it.
void GroupConsumer::Impl::release(const std::vector<int>& partitions) {
  std::vector<int> fetched;
  for (const int partition : partitions) {
    if (running.erase(partition) != 0) fetched.push_back(partition);
    held.erase(partition);
    started.erase(partition);
    restart.erase(partition);
    std::erase_if(paused, [&](const auto& place) { return place.first == partition; });
  }
  const PartitionList list = list_of(fetched);
  const kafka::ErrorHandle error(rd_kafka_incremental_unassign(client.get(), list.get()));
  if (error) spdlog::debug("kafka: unassign: {}", rd_kafka_error_string(error.get()));
}

/// Begins to fetch at explicit offsets. A partition that runs is taken out first: whatever its
/// older fetches still bring is outdated then, and dropped by the client. The client keeps a pause
/// beyond an assignment, so every partition is resumed and paused again where the caller still
/// wants it.
void GroupConsumer::Impl::apply_starts() {
  std::vector<int> fresh, again;
  for (const int partition : std::exchange(restart, {})) {
    if (held.count(partition) == 0) continue;
    fresh.push_back(partition);
    if (!running.insert(partition).second) again.push_back(partition);
  }
  const auto check = [](rd_kafka_error_t* failed) {
    const kafka::ErrorHandle error(failed);
    if (!error) return;
    throw RunError(
        fmt::format("kafka: cannot start partitions: {}", rd_kafka_error_string(error.get())));
  };
  if (!again.empty()) {
    const PartitionList list = list_of(again);
    check(rd_kafka_incremental_unassign(client.get(), list.get()));
  }
  const PartitionList list = list_of(fresh);
  PartitionList stopped(rd_kafka_topic_partition_list_new(1));
  for (int i = 0; i < list->cnt; ++i) {
    rd_kafka_topic_partition_t& place = list->elems[i];
    const auto s = static_cast<std::size_t>(*source_of(place.topic));
    const std::int64_t offset = started.at(place.partition)[s];
    place.offset = offset == offset_none ? RD_KAFKA_OFFSET_BEGINNING : offset;
    if (paused.count({place.partition, static_cast<int>(s)}) != 0) {
      rd_kafka_topic_partition_list_add(stopped.get(), place.topic, place.partition);
    }
  }
  check(rd_kafka_incremental_assign(client.get(), list.get()));
  rd_kafka_resume_partitions(client.get(), list.get());
  if (stopped->cnt > 0) rd_kafka_pause_partitions(client.get(), stopped.get());
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
  for (const int partition : held) {
    const auto& unheard = pending.assigned;
    if (std::find(unheard.begin(), unheard.end(), partition) == unheard.end()) {
      told.revoked.push_back(partition);
    }
  }
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
  // Outside a group nobody can be looked for: a fence is taken at its word.
  if (settings.assignment == Assignment::manual) return true;
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

void GroupConsumer::Impl::close_member() {
  closing = true;
  release(std::vector<int>(held.begin(), held.end()));
  rd_kafka_consumer_close(client.get());
  queue.reset();
  const std::lock_guard lock(client_mutex);
  client.reset();
}

}  // namespace tidemark
