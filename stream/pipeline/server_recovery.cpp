// Partitions that come and go: taken with the state that the log gives back, given up when all of
// theirs is committed, and taken anew where a transaction came to nothing. The engine's thread.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"
#include "stream/pipeline/server.hpp"

namespace tidemark {
namespace {

constexpr std::chrono::milliseconds between_answers{200};

std::vector<InputPosition> positions_of(int partition, const SourceOffsets& next) {
  std::vector<InputPosition> positions;
  for (const Source source : keyed_sources) {
    const std::int64_t offset = next[static_cast<std::size_t>(source)];
    if (offset >= 0) positions.push_back({source, partition, offset});
  }
  return positions;
}

}  // namespace

bool Server::take_assignment(const std::vector<int>& partitions) {
  spdlog::info("partitions taken: {}", fmt::join(partitions, ", "));
  predecessors_.settle(partitions);
  // Commits on their way must land first: recovery starts from what is committed.
  const bool settled = committer_->settle();
  if (!settled) rebuild(committer_->abort_reason());
  for (const int partition : partitions) recover(partition);
  follow_others();
  crash_point("assigned");
  recovered_once_ = true;
  observer_.set_ready(true);
  return !settled;
}

Recovered Server::repeat_log(int partition, const SourceOffsets& committed) {
  const auto after = [this](const JournalRecord&, std::int64_t, Lane&) {
    if (stop_) throw Interrupted{};
    if (!records_.empty()) hand_over();
  };
  EngineOutput again;  // what a crash cut off outside a transaction is published once more
  if (config_.kafka.delivery == Delivery::at_least_once) again.records = &records_;
  const RepeatTools tools{config_, releases_, intake_, *readers_};
  LogRepeater log{tools, again, after, &committed};
  if (auto warm = repeat_warm(log, partition, committed)) return std::move(*warm);
  std::optional<RestoredLane> from;
  if (checkpoints_) {
    from = restore_of_journal(tools, checkpoints_->store(), partition, committed, pool_);
  }
  Recovered recovered = log.repeat(begin_lane(tools, partition, std::move(from)), &committed);
  check_reaches(config_, recovered, partition, committed);
  return recovered;
}

/// What the group has committed. A coordinator that was cut off may answer what was true before, so
/// an answer that is older than the journal says is asked for again. Who is left with it ends: see
/// check_reaches().
SourceOffsets Server::committed_of(int partition) {
  const SourceOffsets least = committed_at_least(config_, partition, *readers_);
  const std::chrono::seconds patience(config_.kafka.connect_timeout_s);
  std::optional<std::chrono::steady_clock::time_point> give_up;  // none before an old answer
  while (true) {
    const SourceOffsets committed = consumer_.committed(partition);
    const auto old = std::find_if(keyed_sources.begin(), keyed_sources.end(), [&](Source source) {
      const auto s = static_cast<std::size_t>(source);
      return committed[s] < least[s];
    });
    if (old == keyed_sources.end()) return committed;
    const auto now = std::chrono::steady_clock::now();
    if (!give_up) {
      give_up = now + patience;
      const auto s = static_cast<std::size_t>(*old);
      spdlog::warn(
          "partition {}: group {} is said to have committed offset {} of {}, the journal says "
          "{}: an old answer, asked for again for up to {} s",
          partition, config_.kafka.group_id, committed[s], config_.kafka.input(*old), least[s],
          patience.count());
    }
    if (now >= *give_up) return committed;
    if (stop_) throw Interrupted{};
    std::this_thread::sleep_for(between_answers);
  }
}

void Server::recover(int partition) {
  if (partition >= partitions_) {
    throw RunError("partition " + std::to_string(partition) +
                   " was added while serving; a "
                   "merchant's partition must not change, so the keys have to be moved first");
  }
  const SourceOffsets committed = committed_of(partition);
  Recovered recovered;
  try {
    recovered = repeat_log(partition, committed);
  } catch (const RunError& error) {
    if (committed_of(partition) == committed) throw;
    // Only an owner commits, so the group has given the partition to another meanwhile and the log
    // went on: the next poll says that it is lost.
    spdlog::warn("partition {}: another instance has gone on with it: {}", partition, error.what());
    return;
  }
  if (config_.kafka.delivery == Delivery::at_least_once) {
    if (!records_.empty()) hand_over();
    committer_->commit(positions_of(partition, recovered.next));
  }
  for (const Source source : keyed_sources) {
    recovered.lane->merge.set_state(source, config_.kafka.input(source).empty()
                                                ? SourceState::closed
                                                : SourceState::catching_up);
  }
  if (recovered.transactions > 0) {
    spdlog::info("partition {}: {} events of {} transactions repeated, state hash {:016x}",
                 partition, recovered.rows, recovered.transactions, recovered.lane->state_hash());
  }
  Lane& lane = *recovered.lane;
  lane.control_next = recovered.next[static_cast<std::size_t>(Source::control)];
  crash_point("recovered");
  if (checkpoints_) checkpoints_->open(lane, std::move(recovered.checkpoint));
  lanes_[partition] = std::move(recovered.lane);
  next_[partition] = recovered.next;
  journal_end_[partition] = recovered.journal_end;
  paused_[partition] = {};
  feed_control(lane, 0);
  consumer_.start(partition, recovered.next);
}

bool Server::give_up(const GroupConsumer::Polled& polled) {
  spdlog::info("partitions {}: {}", polled.lost ? "lost" : "given up",
               fmt::join(polled.revoked, ", "));
  observer_.set_ready(false);
  if (polled.lost) {
    for (const int partition : polled.revoked) drop_lane(partition);
    // Before the group may take us back: nothing that waits may be committed in the new place.
    committer_->restart();
    consumer_.unassign(polled.revoked);
    rebuild("it held rows of lost partitions");
    return true;
  }
  commit();
  const bool committed = committer_->settle();
  if (committed) last_checkpoints(polled.revoked);
  crash_point("revoked");
  for (const int partition : polled.revoked) {
    if (committed) keep_warm(partition);
    drop_lane(partition);
  }
  consumer_.unassign(polled.revoked);
  if (!committed) rebuild(committer_->abort_reason());
  observer_.set_ready(!lanes_.empty());
  return !committed;
}

void Server::rebuild(const std::string& why) {
  spdlog::warn("transaction aborted ({}); rebuilding the state of {} partitions", why,
               lanes_.size());
  observer_.set_ready(false);
  committer_->restart();
  records_.clear();
  open_rows_ = 0;
  release_published_ = false;
  std::vector<int> partitions;
  for (const auto& [partition, lane] : lanes_) partitions.push_back(partition);
  for (const int partition : partitions) drop_lane(partition);
  crash_point("dropped");
  for (const int partition : partitions) recover(partition);
  observer_.set_ready(!lanes_.empty());
}

void Server::drop_lane(int partition) {
  if (checkpoints_) checkpoints_->close(partition);
  lanes_.erase(partition);
  next_.erase(partition);
  journal_end_.erase(partition);
}

}  // namespace tidemark
