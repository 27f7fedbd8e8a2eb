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

/// Longer than any attempt: see answer().
constexpr int request_timeout_ms = 60'000;

}  // namespace

struct GroupQuestions::Question {
  rd_kafka_admin_op_t kind;
  std::string what;  // for errors
  std::function<void(const rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)> send;
  std::function<rd_kafka_resp_err_t(rd_kafka_event_t*)> take;
};

GroupQuestions::GroupQuestions(const KafkaSettings& settings) : settings_(settings) {
  connect();
}

/// A client that has no group of its own does not live through an answer that says that the
/// coordinator is another broker by now (librdkafka 2.15.1).
void GroupQuestions::connect() {
  constexpr ClientKind kind = ClientKind::group_observer;
  client_ = make_client(make_conf(settings_, kind, watch_), kind);
}

/// One attempt; gives an error of librdkafka's.
int GroupQuestions::ask(const Question& question, int attempt_ms) {
  const Options options(rd_kafka_AdminOptions_new(client_.get(), question.kind));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), request_timeout_ms, nullptr, 0);
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  question.send(options.get(), queue.get());
  const Event event(rd_kafka_queue_poll(queue.get(), attempt_ms));
  rd_kafka_poll(client_.get(), 0);
  if (!event) return RD_KAFKA_RESP_ERR__TIMED_OUT;
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? question.take(event.get()) : error;
}

/// Where a request to a coordinator that is away reaches its time-out, librdkafka (2.15.1) frees it
/// and uses it once more when the coordinator is back, which ends the process. So no request is
/// left to time out: one without an answer goes with its client.
bool GroupQuestions::answer(const Question& question) {
  Wait wait(settings_, watch_);
  while (true) {
    const int error = ask(question, wait.attempt_ms());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
      return wait.failures() > 0;
    }
    connect();
    wait.after(error, question.what);
  }
}

std::map<std::string, std::set<std::string>> GroupQuestions::members(bool& waited) {
  std::map<std::string, std::set<std::string>> found;
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
    found.clear();
    const rd_kafka_resp_err_t error = code_of(rd_kafka_ConsumerGroupDescription_error(groups[0]));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
    for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(groups[0]); ++i) {
      const auto* member = rd_kafka_ConsumerGroupDescription_member(groups[0], i);
      const char* id = name_of(member);
      if (id != nullptr) found[id].insert(rd_kafka_MemberDescription_consumer_id(member));
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  };
  waited = answer({RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
                   fmt::format("group '{}'", settings_.group_id), send, take});
  return found;
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
  answer({RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
          fmt::format("the offsets of group '{}'", settings_.group_id), send, take});
  return found;
}

}  // namespace tidemark::kafka
