// See fence.hpp.
#include "stream/kafka/fence.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <thread>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/wait.hpp"

namespace tidemark::kafka {
namespace {

using Clock = std::chrono::steady_clock;

// A broker looks for members that are overdue once in a while, and an instance that has taken the
// transactional id needs a moment until it is in the group.
constexpr std::chrono::seconds beyond_session{2};
constexpr std::chrono::milliseconds between_looks{500};

struct Free {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};
using Event = std::unique_ptr<rd_kafka_event_t, Free>;
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, Free>;

/// The member that has our name in a described group; empty where there is none.
std::string holder_in(const rd_kafka_ConsumerGroupDescription_t* group,
                      const KafkaSettings& settings) {
  const auto name_of = settings.assignment == Assignment::consumer
                           ? rd_kafka_MemberDescription_client_id
                           : rd_kafka_MemberDescription_group_instance_id;
  for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(group); ++i) {
    const auto* member = rd_kafka_ConsumerGroupDescription_member(group, i);
    const char* name = name_of(member);
    if (name != nullptr && name == settings.transactional_id) {
      return rd_kafka_MemberDescription_consumer_id(member);
    }
  }
  return {};
}

class GroupWatch {
 public:
  explicit GroupWatch(const KafkaSettings& settings)
      : settings_(settings),
        client_(make_client(make_conf(settings, ClientKind::admin, watch_), ClientKind::admin)) {}

  /// Who holds our instance id now; `waited` tells that the brokers did not answer at once.
  std::string holder(bool& waited) {
    Wait wait(settings_, watch_);
    while (true) {
      std::string found;
      const rd_kafka_resp_err_t error = ask(wait.attempt_ms(), found);
      waited = wait.failures() > 0;
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return found;
      if (error == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return {};
      rd_kafka_poll(client_.get(), 0);
      wait.after(error, fmt::format("group '{}'", settings_.group_id));
    }
  }

 private:
  rd_kafka_resp_err_t ask(int timeout_ms, std::string& found) {
    const char* group = settings_.group_id.c_str();
    const Options options(
        rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS));
    rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, nullptr, 0);
    const QueueHandle queue(rd_kafka_queue_new(client_.get()));
    rd_kafka_DescribeConsumerGroups(client_.get(), &group, 1, options.get(), queue.get());
    const Event event(rd_kafka_queue_poll(queue.get(), timeout_ms + 1000));
    if (!event) return RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return rd_kafka_event_error(event.get());
    }
    std::size_t count = 0;
    const auto* groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event.get()), &count);
    if (count != 1) return RD_KAFKA_RESP_ERR__FAIL;
    if (const auto* error = rd_kafka_ConsumerGroupDescription_error(groups[0])) {
      const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
    }
    found = holder_in(groups[0], settings_);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  const KafkaSettings& settings_;
  ClientWatch watch_;  // before the client, which points at it
  ClientHandle client_;
};

}  // namespace

bool another_instance_lives(const KafkaSettings& settings, std::chrono::milliseconds session,
                            const std::function<std::string()>& own_member_id) {
  spdlog::warn("kafka: '{}' is fenced in group '{}': looking whether another instance lives",
               settings.transactional_id, settings.group_id);
  try {
    GroupWatch group(settings);
    auto since = Clock::now();
    while (true) {
      bool waited = false;
      const std::string holder = group.holder(waited);
      // A broker that came back gives everyone it knows of a new session.
      if (waited) since = Clock::now();
      if (Clock::now() - since >= session + beyond_session) {
        return !holder.empty() && holder != own_member_id();
      }
      std::this_thread::sleep_for(between_looks);
    }
  } catch (const RunError& error) {
    spdlog::warn("kafka: who is in the group cannot be seen: {}", error.what());
    return true;
  }
}

void throw_if_replaced(const KafkaSettings& settings, const std::string& former_member_id) {
  std::string holder;
  try {
    bool waited = false;
    holder = GroupWatch(settings).holder(waited);
  } catch (const RunError& error) {
    spdlog::warn("kafka: who is in the group cannot be seen: {}", error.what());
  }
  if (!holder.empty() && holder != former_member_id) throw_fenced(settings);
}

void throw_fenced(const KafkaSettings& settings) {
  throw RunError(fmt::format(
      "fenced: another instance uses group.instance.id '{}' (kafka.transactional_id) in group "
      "'{}'; give every instance its own",
      settings.transactional_id, settings.group_id));
}

}  // namespace tidemark::kafka
