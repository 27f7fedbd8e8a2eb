// The checkpoints of a server: begun with a commit, settled behind it, and a last one before a
// partition is given up. The engine's thread, but for what settles, which is the committer's.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>

#include "stream/pipeline/server.hpp"

namespace tidemark {
namespace {

// With less of a log before the checkpoint it is time to speak.
constexpr double log_left_least = 0.05;

}  // namespace

std::function<void()> Server::begin_checkpoints() {
  if (!checkpoints_) return {};
  std::vector<Checkpointer::Begun> all;
  for (const auto& [partition, lane] : lanes_) {
    if (const auto begun = begin_checkpoint(*lane, false)) all.push_back(*begun);
  }
  if (all.empty()) return {};
  return [this, all = std::move(all)] {
    for (const Checkpointer::Begun& begun : all) settle_checkpoint(begun);
  };
}

std::optional<Checkpointer::Begun> Server::begin_checkpoint(Lane& lane, bool at_once) {
  return checkpoints_->begin(lane, next_.at(lane.partition()),
                             releases_.current().release.fingerprint, at_once);
}

void Server::settle_checkpoint(const Checkpointer::Begun& begun) {
  // Not where it ends now: whoever slept since the commit may have lost the partition, and the next
  // owner's transactions are not in this state.
  const std::int64_t journal_next = journal_behind(begun.next, begun.partition, *readers_,
                                                   config_.kafka.output(OutputTopic::journal));
  checkpoints_->committed(begun, journal_next);
  watch_retention(begun, journal_next);
}

void Server::watch_retention(const Checkpointer::Begun& begun, std::int64_t journal_next) {
  double least = 1;
  std::string_view where;
  const auto look = [&](const std::string& topic, std::int64_t next) {
    const auto bounds = readers_->bounds(topic, begun.partition);
    // A log that was never cut has nothing to lose yet.
    if (next < 0 || bounds.begin == 0 || bounds.stable_end <= bounds.begin) return;
    const double share = static_cast<double>(next - bounds.begin) /
                         static_cast<double>(bounds.stable_end - bounds.begin);
    if (share >= least) return;
    least = share;
    where = topic;
  };
  look(config_.kafka.output(OutputTopic::journal), journal_next);
  for (const Source source : keyed_sources) {
    const std::string& topic = config_.kafka.input(source);
    if (!topic.empty()) look(topic, begun.next[static_cast<std::size_t>(source)]);
  }
  observer_.observe_log_left(begun.partition, std::max(0.0, least));
  if (least < log_left_least) {
    spdlog::warn(
        "partition {}: {:.0f}% of the log of {} lie before the checkpoint: what a restart needs is "
        "about to be deleted; keep the log longer or make checkpoints more often",
        begun.partition, 100 * std::max(0.0, least), where);
  }
}

void Server::last_checkpoints(const std::vector<int>& partitions) {
  if (!checkpoints_) return;
  for (const int partition : partitions) {
    const auto lane = lanes_.find(partition);
    if (lane == lanes_.end()) continue;
    checkpoints_->leave(partition);
    checkpoints_->finish(*lane->second);
    const auto begun = begin_checkpoint(*lane->second, true);
    if (!begun) continue;
    checkpoints_->finish(*lane->second);
    settle_checkpoint(*begun);
  }
  checkpoints_->settle();
}

}  // namespace tidemark
