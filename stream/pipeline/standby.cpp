// See standby.hpp.
#include "stream/pipeline/standby.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/fill.hpp"
#include "stream/pipeline/checkpointer.hpp"
#include "stream/pipeline/recovery.hpp"

namespace tidemark {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int nobody = -1;
constexpr std::size_t batch_records_max = 100;
constexpr int idle_wait_ms = 20;  // a transaction of a quiet journal is repeated so late
constexpr seconds until_next_try{60};
// Whoever is behind for so many checkpoints would be faster from the newest of them.
constexpr int checkpoints_behind_max = 3;

/// The memory that was granted does not do.
struct NoRoom : RunError {
  NoRoom(std::size_t needed, std::size_t room)
      : RunError(fmt::format("its state takes {} MB, standby.memory_mb_max leaves {} MB",
                             needed >> 20, room >> 20)),
        bytes(needed) {}
  std::size_t bytes;
};

}  // namespace

Standby::Standby(const Config& config, int partitions)
    : config_(config),
      journal_topic_(config.kafka.output(OutputTopic::journal)),
      pool_(config.threads),
      releases_(config, resolve_backend(config.backend), Provenance::kafka_topics, pool_),
      intake_(config, pool_, partitions),
      client_(config.kafka),
      store_(open_checkpoint_store(config, config.kafka)),
      tools_{config_, releases_, intake_, client_},
      wanted_(nobody),
      busy_(nobody),
      last_(nobody),
      thread_([this](auto& lock) { return work(lock); }) {}

Standby::~Standby() {
  ends_ = true;
}

void Standby::follow(const std::set<int>& partitions) {
  std::vector<Course> dropped;  // a lane is not taken apart under the lock
  auto lock = thread_.lock();
  std::vector<int> followed;
  for (const auto& [partition, course] : courses_) followed.push_back(partition);
  for (const int partition : followed) {
    if (partitions.count(partition) != 0) continue;
    release(lock, partition);
    dropped.push_back(std::move(courses_.extract(partition).mapped()));
  }
  const auto now = steady_clock::now();
  for (const int partition : partitions) {
    const auto [place, is_new] = courses_.try_emplace(partition);
    if (!is_new) continue;
    Course& course = place->second;
    course.due = course.in_time = now;
    if (auto kept = kept_.extract(partition)) {
      course.lane = std::make_unique<LaneRepeater>(tools_, std::move(kept.mapped()));
    }
  }
  thread_.changed();
  lock.unlock();
  kept_.clear();
}

std::optional<Recovered> Standby::take(int partition) {
  if (auto kept = kept_.extract(partition)) return std::move(kept.mapped());
  Course course;
  {
    auto lock = thread_.lock();
    if (courses_.count(partition) == 0) return std::nullopt;
    release(lock, partition);
    course = std::move(courses_.extract(partition).mapped());
  }
  if (!course.lane) return std::nullopt;
  try {
    Recovered taken = course.lane->take();
    // Behind what was repeated there are markers alone: nobody has to fetch them again.
    if (course.batch && course.next == course.batch->records.size()) {
      taken.journal_end = std::max(taken.journal_end, course.journal->position());
    }
    // What has changed since has been noted nowhere.
    if (taken.transactions > 0) taken.checkpoint.reset();
    taken.transactions = taken.rows = 0;
    return taken;
  } catch (const RunError& error) {
    spdlog::warn("partition {}: the standby's lane is of no use: {}", partition, error.what());
    return std::nullopt;
  }
}

void Standby::keep(Recovered lane) {
  const int partition = lane.lane->partition();
  kept_[partition] = std::move(lane);
}

std::map<int, Standby::Status> Standby::status() {
  std::map<int, Status> all;
  const auto lock = thread_.lock();
  for (const auto& [partition, course] : courses_) {
    if (course.status.bytes > 0) all[partition] = course.status;
  }
  thread_.changed();
  return all;
}

/// Waits until the thread is done with it, which then is soon.
void Standby::release(Background::Lock& lock, int partition) {
  wanted_ = partition;
  thread_.wait(lock, [this, partition] { return busy_ != partition; });
  wanted_ = nobody;
}

bool Standby::work(Background::Lock& lock) {
  const auto chosen = choose();
  if (chosen == courses_.end()) return false;
  const int partition = busy_ = last_ = chosen->first;
  Course& course = chosen->second;
  const std::size_t room = room_beside(partition);
  // Nobody has anything new: this look waits for it.
  const bool all_silent = silent_ >= static_cast<int>(courses_.size());
  lock.unlock();
  bool moved = false;
  try {
    moved = advance(partition, course, room, all_silent ? idle_wait_ms : 0);
  } catch (const std::exception& error) {
    spdlog::warn("partition {}: given up by the standby, a takeover would restore it: {}",
                 partition, error.what());
    const auto* no_room = dynamic_cast<const NoRoom*>(&error);
    const std::size_t needs = no_room == nullptr ? 0 : no_room->bytes;
    course.lane.reset();  // not under the lock: it may be large
    lock.lock();
    course = {};
    course.needs = needs;
    course.due = steady_clock::now() + until_next_try;
    ++given_up_;
    lock.unlock();
  }
  lock.lock();
  busy_ = nobody;
  silent_ = moved || all_silent ? 0 : silent_ + 1;
  return true;
}

/// The next one that is there to be followed or due to begin.
std::map<int, Standby::Course>::iterator Standby::choose() {
  const auto now = steady_clock::now();
  auto next = courses_.upper_bound(last_);
  for (std::size_t visited = 0; visited < courses_.size(); ++visited, ++next) {
    if (next == courses_.end()) next = courses_.begin();
    const Course& course = next->second;
    if (next->first == wanted_) continue;
    if (course.lane || (course.due <= now && course.needs <= room_beside(next->first))) return next;
  }
  return courses_.end();
}

std::size_t Standby::room_beside(int partition) const {
  std::size_t used = 0;
  for (const auto& [other, course] : courses_) {
    if (other != partition) used += course.status.bytes;
  }
  return std::max(config_.standby_bytes_max, used) - used;
}

bool Standby::advance(int partition, Course& course, std::size_t room, int wait_ms) {
  if (!course.lane) begin(partition, course, room);
  if (!course.journal) {
    ReadRange range{journal_topic_, partition, course.lane->reached().journal_end, log_follow};
    course.journal = std::make_unique<PlainReader>(client_, range);
  }
  if (!course.batch || course.next == course.batch->records.size()) {
    course.batch = course.journal->read(batch_records_max, wait_ms);
    course.next = 0;
  }
  const bool any = !course.batch->records.empty();
  repeat_batch(partition, course);
  look(partition, course, room);
  return any;
}

void Standby::begin(int partition, Course& course, std::size_t room) {
  std::optional<RestoredLane> from;
  if (store_) {
    const std::string folder = checkpoint_folder(config_.kafka.group_id, partition);
    for (const StoredManifest& stored : read_manifests(*store_, folder)) {
      if (!stored.error.empty()) continue;
      const std::size_t bytes = bytes_of(stored.manifest.merchants, ids_in(stored.manifest));
      if (bytes > room) throw NoRoom(bytes, room);
      break;
    }
    SourceOffsets whatever;  // a checkpoint is published behind its transaction
    whatever.fill(INT64_MAX);
    from = restore_of_journal(tools_, *store_, partition, whatever, pool_);
  }
  course.lane =
      std::make_unique<LaneRepeater>(tools_, begin_lane(tools_, partition, std::move(from)));
  course.in_time = steady_clock::now();
}

void Standby::repeat_batch(int partition, Course& course) {
  LaneRepeater& lane = *course.lane;
  const auto& records = course.batch->records;
  for (; course.next < records.size(); ++course.next) {
    if (ends_ || wanted_ == partition) return;
    const RawRecord& raw = records[course.next];
    const auto record = journal_record(raw, journal_topic_);
    if (record && !lane.has(*record)) lane.repeat(*record, raw.offset, {});
  }
  lane.check_hash();
  // Its next checkpoint, should it be taken, lists all ids.
  if (lane.reached().transactions > 0) lane.reached().lane->table.take_accepted_ids();
}

/// What has become of it: how large, how far behind.
void Standby::look(int partition, Course& course, std::size_t room) {
  const Recovered& reached = course.lane->reached();
  const MerchantTable& table = reached.lane->table;
  const std::size_t bytes = bytes_of(table.size(), table.dedup_events());
  if (bytes > room) throw NoRoom(bytes, room);
  const std::size_t waiting = course.batch->records.size() - course.next;
  // A record and its transaction's marker take two offsets.
  const std::int64_t behind = course.journal->known_end() - course.journal->position();
  {
    const auto lock = thread_.lock();
    course.status.bytes = std::max<std::size_t>(bytes, 1);
    course.status.lag_transactions =
        waiting + static_cast<std::uint64_t>((std::max<std::int64_t>(behind, 0) + 1) / 2);
  }
  const auto now = steady_clock::now();
  if (waiting == 0 && course.journal->caught_up()) {
    course.in_time = now;
    if (!std::exchange(course.announced, true)) {
      spdlog::info("partition {}: followed by the standby: {} events of {} transactions repeated",
                   partition, reached.rows, reached.transactions);
    }
  }
  const auto patience =
      std::max(until_next_try, checkpoints_behind_max * seconds(config_.checkpoint_interval_s));
  if (store_ && now - course.in_time > patience) {
    throw RunError(fmt::format("it has not caught up for {} s", patience.count()));
  }
}

std::size_t Standby::bytes_of(std::uint64_t merchants, std::uint64_t ids) const {
  MerchantTableOptions size;
  size.merchants_max = static_cast<std::uint32_t>(merchants);
  size.dedup_events_max = ids;
  const MemoryPlan plan = memory_plan(*releases_.current().plan, size);
  return plan.merchants_bytes + plan.dedup_bytes;
}

}  // namespace tidemark
