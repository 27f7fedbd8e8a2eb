// The group of a simulated cluster with incremental rebalances, as KIP-848 has them: see
// broker.hpp. Every change of the members makes a new target; each heartbeat brings a member a step
// towards its own. First it lets go of what it shall not have, in its old epoch, so that it can
// still commit; when it has said so, it is of the new epoch and has what nobody else has any more.
#include <algorithm>

#include "tests/simulation/broker.hpp"

namespace tidemark::simulation {

void Broker::share_out() {
  ++generation_;
  if (members_.empty()) return;
  const auto share = static_cast<std::size_t>(partitions_) / members_.size();
  std::size_t larger = static_cast<std::size_t>(partitions_) % members_.size();
  std::set<int> left;
  for (int p = 0; p < partitions_; ++p) left.insert(p);
  for (auto& [id, member] : members_) {
    const std::size_t most = share + (larger > 0 ? 1 : 0);
    while (member.target.size() > most) member.target.erase(std::prev(member.target.end()));
    if (member.target.size() > share) --larger;
    for (const int partition : member.target) left.erase(partition);
  }
  for (const std::size_t most : {share, share + 1}) {
    for (auto& [id, member] : members_) {
      while (member.target.size() < most && !left.empty()) {
        member.target.insert(left.extract(left.begin()));
      }
    }
  }
}

bool Broker::is_free(int partition) const {
  return std::none_of(members_.begin(), members_.end(), [partition](const auto& one) {
    const Member& member = one.second;
    return member.assigned.count(partition) != 0 || member.leaving.count(partition) != 0;
  });
}

void Broker::reconcile(Member& member) {
  for (const int partition : member.assigned) {
    if (member.target.count(partition) == 0) member.leaving.insert(partition);
  }
  for (const int partition : member.leaving) member.assigned.erase(partition);
  if (!member.leaving.empty()) return;
  for (const int partition : member.target) {
    if (is_free(partition)) member.assigned.insert(partition);
  }
  member.epoch = generation_;
}

std::optional<Told> Broker::heartbeat(const std::string& id, const std::set<int>* owned) {
  const auto found = members_.find(id);
  if (found == members_.end()) return std::nullopt;
  Member& member = found->second;
  const auto has_still = [owned](int partition) { return owned->count(partition) != 0; };
  if (owned != nullptr && std::none_of(member.leaving.begin(), member.leaving.end(), has_still)) {
    member.leaving.clear();
  }
  if (member.leaving.empty()) reconcile(member);
  return Told{member.epoch, member.assigned};
}

}  // namespace tidemark::simulation
