// The group of a simulated cluster: see broker.hpp.
#include <algorithm>

#include <fmt/format.h>

#include "tests/simulation/broker.hpp"

namespace tidemark::simulation {
namespace {

constexpr std::int64_t session_us = 150'000;
constexpr std::int64_t rebalance_us = 300'000;

}  // namespace

std::string Broker::join(const std::string& instance, const std::shared_ptr<Process>& process) {
  Member joining;
  // A member of KIP-848 chooses its id itself, and keeps it when it comes back.
  joining.id = fmt::format("{}-{}", instance, incremental_ ? process->number : ++last_member_);
  joining.instance = instance;
  joining.process = process;
  joining.joined = true;
  const auto old = std::find_if(members_.begin(), members_.end(),
                                [&](const auto& one) { return one.second.instance == instance; });
  if (incremental_) {
    const std::string id = joining.id;
    members_.insert_or_assign(id, std::move(joining));
    share_out();
    return id;
  }
  if (old != members_.end()) {
    // A static member: what the one before it was given is its own, without a rebalance.
    joining.assigned = old->second.assigned;
    members_.erase(old);
  } else {
    begin_rebalance();
  }
  const std::string id = joining.id;
  members_.emplace(id, std::move(joining));
  return id;
}

void Broker::rejoin(const std::string& id) {
  const auto found = members_.find(id);
  if (found != members_.end()) found->second.joined = true;
}

const Member* Broker::member(const std::string& id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const Member* Broker::holder_of(const std::string& instance) const {
  for (const auto& [id, member] : members_) {
    if (member.instance == instance) return &member;
  }
  return nullptr;
}

const Member* Broker::other_of(const std::string& instance, const std::string& not_this) const {
  for (const auto& [id, member] : members_) {
    if (member.instance == instance && id != not_this) return &member;
  }
  return nullptr;
}

bool Broker::is_current(const std::string& id, int generation) const {
  const Member* const member = this->member(id);
  return member != nullptr && generation == (incremental_ ? member->epoch : generation_);
}

void Broker::begin_rebalance() {
  if (rebalancing_) return;
  rebalancing_ = true;
  rebalance_until_us_ = scheduler_.now_us() + rebalance_us;
  for (auto& [id, member] : members_) member.joined = false;
}

void Broker::drop(const std::string& id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  left_us_[found->second.instance] = scheduler_.now_us();
  members_.erase(found);
  if (incremental_) {
    share_out();
  } else {
    begin_rebalance();
  }
}

bool Broker::is_expired(const Member& member) const {
  // Heartbeats come from a thread of the client's: only a dead or resting process sends none.
  const Process& process = *member.process;
  if (process.dead || (incremental_ && process.ended)) {
    return scheduler_.now_us() - process.died_us > session_us;
  }
  return process.rests_until_us > scheduler_.now_us() &&
         scheduler_.now_us() - process.rests_since_us > session_us;
}

void Broker::settle_rebalance() {
  if (!rebalancing_) return;
  const bool late = scheduler_.now_us() > rebalance_until_us_;
  for (const auto& [id, member] : members_) {
    if (late && !member.joined) left_us_[member.instance] = scheduler_.now_us();
  }
  if (late) std::erase_if(members_, [](const auto& one) { return !one.second.joined; });
  const bool all_joined = std::all_of(members_.begin(), members_.end(),
                                      [](const auto& one) { return one.second.joined; });
  if (!all_joined) return;
  rebalancing_ = false;
  ++generation_;
  // `range`: consecutive partitions to each, by instance.
  std::vector<Member*> sorted;
  for (auto& [id, member] : members_) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(),
            [](const Member* a, const Member* b) { return a->instance < b->instance; });
  int next = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const int members = static_cast<int>(sorted.size());
    const int share = partitions_ / members + (static_cast<int>(i) < partitions_ % members);
    sorted[i]->assigned.clear();
    for (int k = 0; k < share; ++k) sorted[i]->assigned.insert(next++);
  }
}

}  // namespace tidemark::simulation
