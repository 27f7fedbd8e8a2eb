// Which partitions are ours, and since when. All sources of a partition number have one owner: the
// classic group shares out all topics by `range`, which gives everyone the same numbers of each and
// takes everything back at every rebalance. A group of KIP-848 shares out one topic, partition p of
// the others follows it, and rebalances are incremental. (Cooperative assignment in a classic group
// would leave partitions without an owner: a static member that dies while it hands one over and
// comes back in time is given the rest, and no rebalance is due.) Rebalances are served inside
// poll: an assignment is answered at once with nothing, so that the member is stable while the
// caller recovers, and partitions are fetched only after start(); a revocation is answered by
// unassign(), so that the caller can commit first.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <set>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/kafka/consumer_impl.hpp"
#include "stream/kafka/errors.hpp"
#include "stream/kafka/fence.hpp"

namespace tidemark {

using kafka::PartitionList;

namespace {

/// Empty as long as the group has given none.
std::string member_id_of(rd_kafka_t* client) {
  char* const id = rd_kafka_memberid(client);
  std::string found = id ? id : "";
  if (id != nullptr) rd_kafka_mem_free(client, id);
  return found;
}

}  // namespace

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
  const PartitionList topics(rd_kafka_topic_partition_list_new(1));
  for (const Source source : inputs) {
    if (is_incremental() && source != inputs.front()) continue;
    rd_kafka_topic_partition_list_add(topics.get(), settings.input(source).c_str(),
                                      RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client.get(), topics.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw RunError(fmt::format("kafka: cannot subscribe: {}", rd_kafka_err2str(error)));
  }
}

void GroupConsumer::Impl::rebalance(rd_kafka_s* rk, bool assign,
                                    const rd_kafka_topic_partition_list_s* partitions) {
  std::set<int> numbers;
  for (int i = 0; i < partitions->cnt; ++i) numbers.insert(partitions->elems[i].partition);
  if (assign) {
    was_member = true;
    member_id = member_id_of(rk);
    held.insert(numbers.begin(), numbers.end());
    pending.assigned.insert(pending.assigned.end(), numbers.begin(), numbers.end());
    const PartitionList none = list_of({});
    if (is_incremental()) {
      say(rd_kafka_incremental_assign(rk, none.get()));
    } else {
      rd_kafka_assign(rk, none.get());
    }
    return;
  }
  const bool lost = rd_kafka_assignment_lost(rk) != 0;
  std::vector<int> heard, unheard;  // what the caller has not heard of needs no farewell
  for (const int number : numbers) {
    const bool new_to_caller = std::erase(pending.assigned, number) > 0;
    if (closing || new_to_caller || held.count(number) == 0) {
      unheard.push_back(number);
    } else {
      heard.push_back(number);
    }
  }
  if (heard.empty()) {
    release(unheard);
    return;
  }
  for (const int number : unheard) held.erase(number);
  pending.revoked.insert(pending.revoked.end(), heard.begin(), heard.end());
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
  if (is_incremental()) {
    const PartitionList list = list_of(fetched);
    say(rd_kafka_incremental_unassign(client.get(), list.get()));
  } else {
    forget_all();
    rd_kafka_assign(client.get(), nullptr);
  }
}

void GroupConsumer::Impl::forget_all() {
  for (auto* numbers : {&held, &running, &restart}) numbers->clear();
  started.clear();
  paused.clear();
}

/// What the client has against an assignment that is no matter: it has gone on meanwhile.
void GroupConsumer::Impl::say(rd_kafka_error_s* refused) {
  const kafka::ErrorHandle error(refused);
  if (error) spdlog::debug("kafka: assignment: {}", rd_kafka_error_string(error.get()));
}

/// Begins to fetch at explicit offsets, and again what runs: whatever its older fetches still bring
/// is outdated then, and dropped by the client.
void GroupConsumer::Impl::apply_starts() {
  std::vector<int> fresh, again;
  for (const int partition : std::exchange(restart, {})) {
    if (held.count(partition) == 0) continue;
    fresh.push_back(partition);
    if (!running.insert(partition).second) again.push_back(partition);
  }
  if (!is_incremental()) {
    const PartitionList all = starts_of({running.begin(), running.end()});
    check_started(rd_kafka_assign(client.get(), all.get()));
    keep_pauses(all);
    return;
  }
  const auto code_of = [](rd_kafka_error_t* failed) {
    const kafka::ErrorHandle error(failed);
    return error ? rd_kafka_error_code(error.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
  };
  if (!again.empty()) {
    const PartitionList list = list_of(again);
    check_started(code_of(rd_kafka_incremental_unassign(client.get(), list.get())));
  }
  const PartitionList list = starts_of(fresh);
  check_started(code_of(rd_kafka_incremental_assign(client.get(), list.get())));
  keep_pauses(list);
}

PartitionList GroupConsumer::Impl::starts_of(const std::vector<int>& partitions) const {
  PartitionList list = list_of(partitions);
  for (int i = 0; i < list->cnt; ++i) {
    rd_kafka_topic_partition_t& place = list->elems[i];
    const auto s = static_cast<std::size_t>(*source_of(place.topic));
    const std::int64_t offset = started.at(place.partition)[s];
    place.offset = offset == offset_none ? RD_KAFKA_OFFSET_BEGINNING : offset;
  }
  return list;
}

void GroupConsumer::Impl::check_started(int error) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw RunError(fmt::format("kafka: cannot start partitions: {}",
                             rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error))));
}

/// The client keeps a pause beyond an assignment, so every partition is resumed and paused again
/// where the caller still wants it.
void GroupConsumer::Impl::keep_pauses(const PartitionList& list) {
  rd_kafka_resume_partitions(client.get(), list.get());
  PartitionList stopped(rd_kafka_topic_partition_list_new(1));
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& place = list->elems[i];
    if (paused.count({place.partition, static_cast<int>(*source_of(place.topic))}) != 0) {
      rd_kafka_topic_partition_list_add(stopped.get(), place.topic, place.partition);
    }
  }
  if (stopped->cnt > 0) rd_kafka_pause_partitions(client.get(), stopped.get());
}

bool GroupConsumer::Impl::is_fenced() const {
  return kafka::classify(rd_kafka_fatal_error(client.get(), nullptr, 0)) ==
         kafka::ErrorClass::fenced;
}

void GroupConsumer::Impl::outlive_fence() {
  if (another_instance_lives()) kafka::throw_fenced(settings);
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
  close_member(false);
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
        return client ? member_id_of(client.get()) : "";
      });
}

void GroupConsumer::Impl::close_member(bool leave) {
  closing = true;
  if (!is_incremental()) rd_kafka_assign(client.get(), nullptr);
  forget_all();
  if (leave) rd_kafka_consumer_close(client.get());
  queue.reset();
  const std::lock_guard lock(client_mutex);
  // After a failure nobody answers the rebalances that the client's own way to close waits for.
  rd_kafka_destroy_flags(client.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

}  // namespace tidemark
