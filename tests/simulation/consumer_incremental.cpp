// The simulated member of a group with incremental rebalances, as librdkafka and the product's
// GroupConsumer are together: heartbeats and epochs are the client's own thread's business, but
// what the group gives and takes is done inside poll, one step after another, and told to the
// coordinator when it is done. Who was cast out comes back when the caller has let go of all it
// had.
#include "kernels/base/failure.hpp"
#include "tests/simulation/clients.hpp"

namespace tidemark {

using simulation::world;

void GroupConsumer::Impl::forget_group() {
  cast_out = reconciling = telling = false;
  told.clear();
  target.clear();
  member.clear();
  generation = 0;
}

void GroupConsumer::Impl::beat() {
  if (!world().broker.is_incremental() || !subscribed || cast_out) return;
  if (world().scheduler.random().chance(0.5)) return;
  if (member.empty()) {
    member = world().broker.join(settings.transactional_id, world().scheduler.process());
  }
  const auto answer = world().broker.heartbeat(member, telling ? &held : nullptr);
  if (!answer) {
    cast_out = true;
    return;
  }
  telling = false;
  generation = answer->epoch;
  told = answer->assigned;
}

/// A step on the way to what the coordinator said. What a poll has brought and its caller has not
/// heard of goes without its caller.
bool GroupConsumer::Impl::reconcile(Polled& polled) {
  if (telling) return false;
  if (!reconciling && told == held) return false;
  if (!std::exchange(reconciling, true)) target = told;
  for (const int partition : std::set<int>(held)) {
    if (target.count(partition) != 0) continue;
    if (std::erase(polled.assigned, partition) > 0) {
      held.erase(partition);
    } else {
      polled.revoked.push_back(partition);
    }
  }
  revoking = !polled.revoked.empty();
  if (revoking) return true;
  for (const int partition : target) {
    if (held.insert(partition).second) polled.assigned.push_back(partition);
  }
  was_member = telling = true;
  reconciling = false;
  return true;
}

bool GroupConsumer::Impl::heed_incremental(Polled& polled) {
  if (revoking || !subscribed) return false;
  bool any = false;
  // As many of its client's news as one poll happens to serve.
  do {
    beat();
    if (cast_out) {
      if (simulation::another_instance_lives(settings.transactional_id, member)) {
        throw RunError("fenced: another instance uses the same client.id");
      }
      for (const int partition : polled.assigned) held.erase(partition);
      polled.assigned.clear();
      if (revoke(polled, true)) return true;
      forget_group();
    } else {
      any = reconcile(polled) || any;
    }
  } while (!revoking && world().scheduler.random().chance(0.3));
  return any;
}

}  // namespace tidemark
