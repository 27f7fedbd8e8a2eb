// Standing by: partitions of others that are kept warm, and how a warm lane comes back to work. The
// engine's thread.
#include <spdlog/spdlog.h>

#include <set>
#include <thread>
#include <utility>

#include "stream/pipeline/server.hpp"

namespace tidemark {
namespace {

constexpr std::chrono::seconds between_looks{1};
constexpr std::chrono::milliseconds between_questions{10};

}  // namespace

bool Server::stand_by(const std::function<bool()>& take_over) {
  const std::vector<int> own = own_partitions();
  standby_->follow({own.begin(), own.end()});
  spdlog::info("standing by for ordinal {}; SIGUSR1 takes over", kafka_.ordinal);
  while (!stop_ && !take_over()) {
    observe_standby();
    std::this_thread::sleep_for(between_questions);
  }
  if (!stop_) spdlog::info("taking over ordinal {}", kafka_.ordinal);
  return !stop_;
}

/// What all others own is followed.
void Server::follow_others() {
  if (!standby_) return;
  std::set<int> others;
  for (int partition = 0; partition < partitions_; ++partition) {
    if (lanes_.count(partition) == 0) others.insert(partition);
  }
  standby_->follow(others);
}

/// From the lane that the standby has of it, where it has one that is of use.
std::optional<Recovered> Server::repeat_warm(LogRepeater& log, int partition,
                                             const SourceOffsets& committed) {
  std::optional<Recovered> warm = take_warm(partition);
  if (!warm) return std::nullopt;
  const auto began = std::chrono::steady_clock::now();
  try {
    Recovered recovered = log.repeat(std::move(*warm), &committed);
    check_reaches(config_, recovered, partition, committed);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    spdlog::info("partition {}: handed over by the standby: {} transactions were left, {:.0f} ms",
                 partition, recovered.transactions, took.count());
    return recovered;
  } catch (const RunError& error) {
    spdlog::warn("partition {}: the standby's lane is of no use: {}", partition, error.what());
    return std::nullopt;
  }
}

std::optional<Recovered> Server::take_warm(int partition) {
  std::optional<Recovered> warm;
  if (standby_) warm = standby_->take(partition);
  if (!warm || !warm->checkpoint || !checkpoints_) return warm;
  // With another owner's behind it, its chunks may be gone.
  const std::string folder = checkpoint_folder(config_.kafka.group_id, partition);
  const std::uint64_t newest = last_generation(checkpoints_->store(), folder);
  if (warm->checkpoint->generation != newest) warm->checkpoint.reset();
  return warm;
}

/// All of the lane is committed: whoever owns it next, this may be where it comes back to.
void Server::keep_warm(int partition) {
  const auto lane = lanes_.find(partition);
  if (!standby_ || lane == lanes_.end()) return;
  Recovered warm;
  warm.next = next_.at(partition);
  const auto status = checkpoints_ ? checkpoints_->status(partition) : std::nullopt;
  if (status && status->last && status->last->next == warm.next) {
    warm.checkpoint = *status->last;
    warm.journal_end = status->last->journal_next;
  } else {
    warm.journal_end =
        journal_behind(warm.next, partition, *readers_, kafka_.output(OutputTopic::journal));
  }
  lane->second->merge.forget();
  warm.lane = std::move(lane->second);
  standby_->keep(std::move(warm));
}

void Server::observe_standby() {
  const auto now = std::chrono::steady_clock::now();
  if (!standby_ || now - standby_seen_ < between_looks) return;
  standby_seen_ = now;
  observer_.observe_standby(standby_->status(), standby_->given_up());
}

}  // namespace tidemark
