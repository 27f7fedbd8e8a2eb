// librdkafka's metadata and Admin requests, each awaited on a queue of its own.
#include "stream/kafka/admin_session.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "kernels/base/failure.hpp"

namespace tidemark::kafka {

namespace {

struct FreeAdmin {
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
  void operator()(rd_kafka_ConfigResource_t* r) const { rd_kafka_ConfigResource_destroy(r); }
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, FreeAdmin>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, FreeAdmin>;
using Resource = std::unique_ptr<rd_kafka_ConfigResource_t, FreeAdmin>;
using Event = std::unique_ptr<rd_kafka_event_t, FreeAdmin>;

constexpr int request_timeout_ms = 30'000;

template <typename Handle>
auto raw(const std::vector<Handle>& handles) {
  std::vector<typename Handle::pointer> all;
  for (const Handle& handle : handles) all.push_back(handle.get());
  return all;
}

/// Waits for the answer of a request that was sent to `queue`.
Event await(rd_kafka_t* client, rd_kafka_queue_t* queue, const char* what) {
  Event event(rd_kafka_queue_poll(queue, request_timeout_ms + 5000));
  rd_kafka_poll(client, 0);
  if (!event) throw RunError(fmt::format("kafka: {}: no answer", what));
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw RunError(fmt::format("kafka: {}: {}", what, rd_kafka_event_error_string(event.get())));
  }
  return event;
}

bool has_leaders(const rd_kafka_metadata_topic_t& topic) {
  return std::all_of(topic.partitions, topic.partitions + topic.partition_cnt,
                     [](const rd_kafka_metadata_partition_t& p) { return p.leader >= 0; });
}

}  // namespace

AdminSession::AdminSession(const KafkaSettings& settings)
    : settings_(settings),
      client_(make_client(make_conf(settings, ClientKind::admin, watch_), ClientKind::admin)) {}

std::map<std::string, int> AdminSession::partition_counts(bool with_leaders) {
  const Deadline deadline(settings_);
  const rd_kafka_metadata_t* metadata = nullptr;
  while (true) {
    const rd_kafka_resp_err_t error = rd_kafka_metadata(client_.get(), 1, nullptr, &metadata,
                                                        std::max(1, deadline.slice_ms(2000)));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    rd_kafka_poll(client_.get(), 10);
    if (deadline.over()) throw_unreachable(settings_, watch_);
  }
  std::map<std::string, int> counts;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR || topic.partition_cnt == 0) continue;
    if (!with_leaders || has_leaders(topic)) counts[topic.topic] = topic.partition_cnt;
  }
  rd_kafka_metadata_destroy(metadata);
  return counts;
}

std::map<std::string, std::map<std::string, std::string>> AdminSession::configs(
    const std::vector<std::string>& topics) {
  std::map<std::string, std::map<std::string, std::string>> found;
  if (topics.empty()) return found;
  std::vector<Resource> resources;
  // librdkafka cannot read an answer that names a topic twice.
  for (const std::string& topic : std::set<std::string>(topics.begin(), topics.end())) {
    resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  }
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  rd_kafka_DescribeConfigs(client_.get(), raw(resources).data(), resources.size(), nullptr,
                           queue.get());
  const Event event = await(client_.get(), queue.get(), "describing topics");
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** answers = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_ConfigResource_error(answers[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    auto& values = found[rd_kafka_ConfigResource_name(answers[i])];
    std::size_t entries = 0;
    const rd_kafka_ConfigEntry_t** entry = rd_kafka_ConfigResource_configs(answers[i], &entries);
    for (std::size_t e = 0; e < entries; ++e) {
      const char* value = rd_kafka_ConfigEntry_value(entry[e]);
      if (value != nullptr) values[rd_kafka_ConfigEntry_name(entry[e])] = value;
    }
  }
  return found;
}

void AdminSession::create(const std::vector<TopicPlan>& plans) {
  if (plans.empty()) return;
  std::array<char, 512> why{};
  std::vector<NewTopic> topics;
  for (const TopicPlan& plan : plans) {
    // -1 leaves the number of replicas to the cluster's default.
    topics.emplace_back(
        rd_kafka_NewTopic_new(plan.topic.c_str(), plan.partitions, -1, why.data(), why.size()));
    if (!topics.back()) throw RunError(fmt::format("kafka topic {}: {}", plan.topic, why.data()));
    for (const auto& [name, value] : plan.config) {
      rd_kafka_NewTopic_set_config(topics.back().get(), name.c_str(), value.c_str());
    }
  }
  const Options options(rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), request_timeout_ms, why.data(),
                                              why.size());
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  rd_kafka_CreateTopics(client_.get(), raw(topics).data(), topics.size(), options.get(),
                        queue.get());
  const Event event = await(client_.get(), queue.get(), "creating topics");
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      continue;
    }
    const char* text = rd_kafka_topic_result_error_string(results[i]);
    throw RunError(fmt::format("kafka topic {} cannot be created: {}",
                               rd_kafka_topic_result_name(results[i]),
                               text ? text : rd_kafka_err2str(error)));
  }
}

}  // namespace tidemark::kafka
