// See group_questions.hpp. librdkafka's Admin requests, each awaited on a queue of its own.
#include "stream/kafka/group_questions.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <functional>
#include <memory>

#include "stream/kafka/wait.hpp"

namespace tidemark::kafka {
namespace {

struct Free {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
  void operator()(rd_kafka_ListConsumerGroupOffsets_t* question) const {
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
  }
};
using Event = std::unique_ptr<rd_kafka_event_t, Free>;
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, Free>;

rd_kafka_resp_err_t code_of(const rd_kafka_error_t* error) {
  return error == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
}

/// Sends one request and gives its answer to `take`; gives the error of either.
rd_kafka_resp_err_t ask(
    rd_kafka_t* client, rd_kafka_admin_op_t kind, int timeout_ms,
    const std::function<void(const rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send,
    const std::function<rd_kafka_resp_err_t(rd_kafka_event_t*)>& take) {
  const Options options(rd_kafka_AdminOptions_new(client, kind));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, nullptr, 0);
  const QueueHandle queue(rd_kafka_queue_new(client));
  send(options.get(), queue.get());
  const Event event(rd_kafka_queue_poll(queue.get(), timeout_ms + 1000));
  rd_kafka_poll(client, 0);
  if (!event) return RD_KAFKA_RESP_ERR__TIMED_OUT;
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? take(event.get()) : error;
}

}  // namespace

GroupQuestions::GroupQuestions(const KafkaSettings& settings)
    : settings_(settings),
      client_(make_client(make_conf(settings, ClientKind::admin, watch_), ClientKind::admin)) {}

std::map<std::string, std::string> GroupQuestions::members(bool& waited) {
  std::map<std::string, std::string> found;
  const char* const name = settings_.group_id.c_str();
  const auto name_of = settings_.assignment == Assignment::consumer
                           ? rd_kafka_MemberDescription_client_id
                           : rd_kafka_MemberDescription_group_instance_id;
  const auto send = [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
    const char* groups[] = {name};
    rd_kafka_DescribeConsumerGroups(client_.get(), groups, 1, options, queue);
  };
  const auto take = [&](rd_kafka_event_t* event) {
    std::size_t count = 0;
    const auto* groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    if (count != 1) return RD_KAFKA_RESP_ERR__FAIL;
    for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(groups[0]); ++i) {
      const auto* member = rd_kafka_ConsumerGroupDescription_member(groups[0], i);
      const char* id = name_of(member);
      if (id != nullptr) found[id] = rd_kafka_MemberDescription_consumer_id(member);
    }
    return code_of(rd_kafka_ConsumerGroupDescription_error(groups[0]));
  };
  Wait wait(settings_, watch_);
  while (true) {
    const rd_kafka_resp_err_t error =
        ask(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, wait.attempt_ms(), send, take);
    waited = wait.failures() > 0;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return found;
    found.clear();
    if (error == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return found;
    wait.after(error, fmt::format("group '{}'", settings_.group_id));
  }
}

std::set<std::string> GroupQuestions::committers(
    const rd_kafka_topic_partition_list_s* partitions) {
  const std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, Free> question(
      rd_kafka_ListConsumerGroupOffsets_new(settings_.group_id.c_str(), partitions));
  std::set<std::string> found;
  const auto send = [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
    rd_kafka_ListConsumerGroupOffsets_t* questions[] = {question.get()};
    rd_kafka_ListConsumerGroupOffsets(client_.get(), questions, 1, options, queue);
  };
  const auto take = [&](rd_kafka_event_t* event) {
    std::size_t count = 0;
    const auto* groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    if (count != 1) return RD_KAFKA_RESP_ERR__FAIL;
    if (const auto* list = rd_kafka_group_result_partitions(groups[0])) {
      for (int i = 0; i < list->cnt; ++i) {
        const rd_kafka_topic_partition_t& place = list->elems[i];
        if (place.metadata_size == 0) continue;
        found.emplace(static_cast<const char*>(place.metadata), place.metadata_size);
      }
    }
    return code_of(rd_kafka_group_result_error(groups[0]));
  };
  Wait wait(settings_, watch_);
  while (true) {
    const rd_kafka_resp_err_t error = ask(client_.get(), RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
                                          wait.attempt_ms(), send, take);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return found;
    wait.after(error, fmt::format("the offsets of group '{}'", settings_.group_id));
  }
}

}  // namespace tidemark::kafka
