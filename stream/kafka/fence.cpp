// See fence.hpp.
#include "stream/kafka/fence.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <set>
#include <string>
#include <thread>

#include "kernels/base/failure.hpp"
#include "stream/kafka/group_questions.hpp"

namespace tidemark::kafka {
namespace {

using Clock = std::chrono::steady_clock;

// A broker looks for members that are overdue once in a while, and an instance that has taken the
// transactional id needs a moment until it is in the group.
constexpr std::chrono::seconds beyond_session{2};
constexpr std::chrono::milliseconds between_looks{500};

}  // namespace

bool another_instance_lives(const KafkaSettings& settings, std::chrono::milliseconds session,
                            const std::function<std::string()>& own_member_id) {
  spdlog::warn("kafka: '{}' is fenced in group '{}': looking whether another instance lives",
               settings.transactional_id, settings.group_id);
  try {
    GroupQuestions group(settings);
    auto since = Clock::now();
    while (true) {
      bool waited = false;
      auto holders = group.members(waited)[settings.transactional_id];
      // A broker that came back gives everyone it knows of a new session.
      if (waited) since = Clock::now();
      if (Clock::now() - since >= session + beyond_session) {
        holders.erase(own_member_id());
        return !holders.empty();
      }
      std::this_thread::sleep_for(between_looks);
    }
  } catch (const RunError& error) {
    spdlog::warn("kafka: who is in the group cannot be seen: {}", error.what());
    return true;
  }
}

void throw_if_replaced(const KafkaSettings& settings, const std::string& former_member_id) {
  if (settings.assignment != Assignment::classic) return;
  std::set<std::string> holders;
  try {
    bool waited = false;
    holders = GroupQuestions(settings).members(waited)[settings.transactional_id];
  } catch (const RunError& error) {
    spdlog::warn("kafka: who is in the group cannot be seen: {}", error.what());
  }
  holders.erase(former_member_id);
  if (!holders.empty()) throw_fenced(settings);
}

void throw_fenced(const KafkaSettings& settings) {
  throw RunError(fmt::format(
      "fenced: another instance uses group.instance.id '{}' (kafka.transactional_id) in group "
      "'{}'; give every instance its own",
      settings.transactional_id, settings.group_id));
}

}  // namespace tidemark::kafka
