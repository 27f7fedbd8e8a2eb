// GroupConsumer against the simulated broker: what it tells its caller, and when, as the one over
// librdkafka does. A poll brings any prefix of what any partition has; ends are told late.
#include "stream/kafka/consumer.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "kernels/base/failure.hpp"
#include "tests/simulation/clients.hpp"

namespace tidemark {

using simulation::Broker;
using simulation::Entry;
using simulation::EntryState;
using simulation::Fault;
using simulation::Log;
using simulation::Member;
using simulation::world;

namespace {

std::vector<int> numbers(const std::set<int>& held) {
  return {held.begin(), held.end()};
}

}  // namespace

namespace simulation {

std::shared_ptr<RawBatch> copy_entries(const std::vector<Found>& found) {
  auto batch = std::make_shared<RawBatch>();
  std::size_t bytes = 0;
  for (const Found& one : found) {
    bytes += one.entry->key.size() + one.entry->value.size() + raw_padding_bytes;
  }
  if (bytes == 0) return batch;
  const std::shared_ptr<char[]> arena(new char[bytes]);
  char* at = arena.get();
  const auto put = [&at](const std::string& from, bool null) -> std::string_view {
    if (null) return {};
    std::memcpy(at, from.data(), from.size());
    const std::string_view view(at, from.size());
    at += from.size();
    return view;
  };
  for (const Found& one : found) {
    RawRecord& record = batch->records.emplace_back();
    record.key = put(one.entry->key, one.entry->null_key);
    record.value = put(one.entry->value, one.entry->null_value);
    std::memset(at, 0, raw_padding_bytes);
    at += raw_padding_bytes;
    record.offset = one.offset;
    record.partition = one.partition;
    record.kafka_time_ms = one.entry->time_ms;
    record.source = one.source;
    record.has_key = true;
  }
  batch->keep_alive = arena;
  return batch;
}

bool another_instance_lives(const std::string& instance, const std::string& own_member) {
  Broker& broker = world().broker;
  while (const Member* const other = broker.other_of(instance, own_member)) {
    if (!other->process->dead && !other->process->ended) return true;
    broker.drop(std::string(other->id));  // it sends no heartbeats
  }
  return false;
}

}  // namespace simulation

GroupConsumer::GroupConsumer(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}

GroupConsumer::~GroupConsumer() = default;

void GroupConsumer::subscribe() {
  world().scheduler.step("subscribe");
  impl_->subscribed = true;
}

void GroupConsumer::take(const std::vector<int>&) {
  throw std::logic_error("simulated instances share by a group");
}

bool GroupConsumer::Impl::heed_group(Polled& polled) {
  Broker& broker = world().broker;
  if (broker.is_incremental()) return heed_incremental(polled);
  if (revoking || !subscribed) return false;
  if (member.empty()) {
    member = broker.join(settings.transactional_id, world().scheduler.process());
    return false;
  }
  const Member* const mine = broker.member(member);
  if (mine == nullptr) {
    if (simulation::another_instance_lives(settings.transactional_id, member)) {
      throw RunError("fenced: another instance uses the same group.instance.id");
    }
    member.clear();
    generation = -1;
    return revoke(polled, true);
  }
  if (broker.rebalancing()) {
    if (mine->joined || !world().scheduler.random().chance(0.5)) return false;
    const bool any = revoke(polled, false);
    if (!any) broker.rejoin(member);
    return any;
  }
  if (generation == broker.generation()) return false;
  generation = broker.generation();
  was_member = true;
  held = mine->assigned;
  polled.assigned = numbers(held);
  return true;
}

bool GroupConsumer::Impl::revoke(Polled& polled, bool lost) {
  if (held.empty()) return false;
  polled.revoked = numbers(held);
  polled.lost = lost;
  revoking = true;
  return true;
}

void GroupConsumer::Impl::fetch(std::size_t records_max, Polled& polled) {
  auto& random = world().scheduler.random();
  std::vector<simulation::Found> found;
  for (auto& [partition, fetched] : started) {
    for (const Source source : keyed_sources) {
      const auto s = static_cast<std::size_t>(source);
      if (paused.count({partition, source}) != 0) continue;
      const Log& log = *fetched.logs[s];
      std::int64_t& at = fetched.next[s];
      if (at == offset_none) at = log.begin;
      if (at < log.begin) {
        // The next owner has gone on, and the log behind it is deleted: the group says so soon.
        if (world().broker.member(member) == nullptr) continue;
        throw RunError("the log no longer has the offset to go on from");
      }
      const std::int64_t stable = log.stable_end();
      if (random.chance(0.3)) continue;  // slow to come
      std::size_t most = random.below(12);
      while (at < stable && most > 0 && found.size() < records_max) {
        const Entry& entry = log.at(at);
        if (entry.state == EntryState::committed) {
          found.push_back({&entry, at, partition, source});
          --most;
        }
        ++at;
        ended.erase({partition, source});
      }
      if (at == stable && ended.count({partition, source}) == 0 && random.chance(0.5)) {
        ended.insert({partition, source});
        polled.ends.push_back({source, partition, at});
      }
    }
  }
  polled.records = simulation::copy_entries(found);
}

GroupConsumer::Polled GroupConsumer::poll(std::size_t records_max, int timeout_ms) {
  world().scheduler.step("poll");
  if (timeout_ms > 0) world().scheduler.pass(200 * timeout_ms);
  if (!impl_->member.empty() && world().strikes(Fault::kick)) world().broker.drop(impl_->member);
  Polled polled;
  polled.records = std::make_shared<RawBatch>();
  if (impl_->heed_group(polled) && polled.lost) return polled;
  for (const int partition : polled.assigned) {
    impl_->taken_us[partition] = world().scheduler.now_us();
  }
  impl_->fetch(records_max, polled);
  return polled;
}

void GroupConsumer::start(int partition, const SourceOffsets& offsets) {
  const std::string open = world().broker.left_open(partition, impl_->taken_us[partition]);
  if (!open.empty() && impl_->settings.delivery == Delivery::exactly_once) {
    world().scheduler.fail("partition " + std::to_string(partition) + " is taken, and what " +
                           open + " left open hides it");
  }
  Impl::Fetched& fetched = impl_->started[partition];
  fetched.next = offsets;
  for (const Source source : keyed_sources) {
    fetched.logs[static_cast<std::size_t>(source)] =
        &world().broker.log(impl_->settings.input(source), partition);
    impl_->paused.erase({partition, source});
    impl_->ended.erase({partition, source});
  }
}

void GroupConsumer::unassign(const std::vector<int>& revoked) {
  world().scheduler.step("unassign");
  impl_->revoking = false;
  if (world().broker.is_incremental()) {
    for (const int partition : revoked) {
      const auto of_it = [partition](const auto& place) { return place.first == partition; };
      impl_->held.erase(partition);
      impl_->started.erase(partition);
      std::erase_if(impl_->paused, of_it);
      std::erase_if(impl_->ended, of_it);
    }
    if (impl_->cast_out && impl_->held.empty()) impl_->forget_group();
    return;
  }
  impl_->held.clear();
  impl_->started.clear();
  impl_->paused.clear();
  impl_->ended.clear();
  if (!impl_->member.empty()) world().broker.rejoin(impl_->member);
}

void GroupConsumer::pause(Source source, int partition) {
  impl_->paused.insert({partition, source});
}

void GroupConsumer::resume(Source source, int partition) {
  impl_->paused.erase({partition, source});
}

SourceOffsets GroupConsumer::committed(int partition) {
  const auto stable = [this, partition] {
    for (const Source source : keyed_sources) {
      if (!world().broker.committed({source, partition})) return false;
    }
    return true;
  };
  world().scheduler.wait("committed", stable);
  impl_->beat();
  SourceOffsets offsets, before;
  offsets.fill(offset_none);
  before.fill(offset_none);
  for (const Source source : keyed_sources) {
    if (impl_->settings.input(source).empty()) continue;
    const auto s = static_cast<std::size_t>(source);
    offsets[s] = world().broker.committed({source, partition}).value();
    before[s] = world().broker.committed_before({source, partition}).value_or(offsets[s]);
  }
  return before != offsets && world().strikes(Fault::offsets_old) ? before : offsets;
}

std::int64_t GroupConsumer::committed(Source source, int partition) {
  return committed(partition)[static_cast<std::size_t>(source)];
}

std::string GroupConsumer::commit(std::span<const InputPosition> positions) {
  if (positions.empty()) return {};
  std::map<simulation::Input, std::int64_t> next;
  for (const InputPosition& p : positions) {
    if (p.source == Source::control) throw std::logic_error("control has no group offset");
    next[{p.source, p.partition}] = p.next_offset;
  }
  impl_->beat();
  const std::string member = impl_->member;
  const int generation = impl_->generation;
  world().scheduler.step("commit-offsets");
  if (world().strikes(Fault::commit_undone)) return "no answer to offsets";
  if (world().broker.commit(member, generation, next) != simulation::Answer::done) {
    return "of another generation";
  }
  return world().strikes(Fault::commit_lost) ? "no answer to offsets" : "";
}

/// A static member leaves by staying away.
void GroupConsumer::close() {
  if (!world().broker.is_incremental()) return;
  world().scheduler.step("close");
  world().broker.drop(impl_->member);
}

}  // namespace tidemark
