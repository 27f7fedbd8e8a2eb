// See checkpointer.hpp.
#include "stream/pipeline/checkpointer.hpp"

#include <algorithm>
#include <utility>

namespace tidemark {
namespace {

using std::chrono::steady_clock;

// A round of the server copies so much: some two milliseconds.
constexpr std::size_t advance_bytes = std::size_t{8} << 20;
constexpr std::size_t ids_of_a_chunk = std::size_t{1} << 18;

}  // namespace

std::unique_ptr<CheckpointStore> open_checkpoint_store(const Config& config,
                                                       const KafkaSettings& kafka) {
  if (!kafka.checkpoint_topic.empty()) return open_topic_store(kafka, kafka.checkpoint_topic);
  if (config.checkpoint_directory.empty()) return nullptr;
  return open_directory_store(config.checkpoint_directory);
}

Checkpointer::Checkpointer(const Config& config, std::shared_ptr<const FeaturePlan> plan,
                           std::unique_ptr<CheckpointStore> store)
    : config_(config),
      plan_(std::move(plan)),
      store_(std::move(store)),
      writer_(*store_, {.group = config.kafka.group_id,
                        .keep = config.checkpoint_keep,
                        .ids_horizon_ms = config.dedup_horizon_ms}) {}

void Checkpointer::open(Lane& lane, std::optional<CheckpointManifest> restored) {
  Course& course = courses_[lane.partition()] = {};
  course.begun_at = steady_clock::now();
  course.whole = !restored && lane.table.dedup_events() != 0;
  course.generation =
      last_generation(*store_, checkpoint_folder(config_.kafka.group_id, lane.partition()));
  if (!restored) lane.forget_snapshots();
  lane.table.list_accepted_ids();
  writer_.open(lane.partition(), std::move(restored));
}

void Checkpointer::close(int partition) {
  courses_.erase(partition);
  writer_.close(partition);
}

std::optional<Checkpointer::Begun> Checkpointer::begin(Lane& lane, const SourceOffsets& next,
                                                       const std::string& release, bool at_once) {
  const int partition = lane.partition();
  Course& course = courses_.at(partition);
  const auto now = steady_clock::now();
  if (course.head) return std::nullopt;
  if (!at_once && now - course.begun_at < std::chrono::seconds(config_.checkpoint_interval_s)) {
    return std::nullopt;
  }
  course.begun_at = now;
  // Nothing new: what is published says it all.
  const auto status = writer_.status(partition);
  if (status && status->last && status->last->next == next) return std::nullopt;
  const std::uint64_t generation = ++course.generation;
  if (writer_.begins_anew(partition, generation)) {
    lane.forget_snapshots();
    course.whole = true;
  }
  if (std::exchange(course.whole, false)) {
    lane.table.take_accepted_ids();
    give_ids(partition, generation, lane.table.live_ids());
  } else {
    give_ids(partition, generation, lane.table.take_accepted_ids());
  }
  ByteWriter rest;
  lane.save_rest(rest);
  writer_.add(partition, generation, ChunkKind::rest, rest.take(), 1);

  CheckpointManifest& head = course.head.emplace();
  head.partition = partition;
  head.generation = generation;
  head.group = config_.kafka.group_id;
  head.release = release;
  head.spec = plan_->fingerprint();
  head.settings = state_settings(config_);
  head.layout = record_layout(*plan_);
  head.made_at_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  head.next = next;
  head.state_hash = lane.state_hash();
  head.merchants = lane.table.size();
  lane.begin_snapshot([this, partition, generation](std::string chunk, std::size_t entries) {
    writer_.add(partition, generation, ChunkKind::merchants, std::move(chunk), entries);
  });
  return Begun{partition, generation, next};
}

void Checkpointer::advance(Lane& lane) {
  Course& course = courses_.at(lane.partition());
  hand_over_ids(lane, course, ids_of_a_chunk);
  if (!course.head || !writer_.has_room()) return;
  if (!lane.snapshot().advance(lane, advance_bytes)) return;
  writer_.seal(std::move(*course.head));
  course.head.reset();
}

void Checkpointer::finish(Lane& lane) {
  Course& course = courses_.at(lane.partition());
  if (!course.head) return;
  lane.snapshot().advance(lane, SIZE_MAX);
  writer_.seal(std::move(*course.head));
  course.head.reset();
}

/// Ids need not wait for the next checkpoint to begin: they belong to it whatever comes.
void Checkpointer::hand_over_ids(Lane& lane, Course& course, std::size_t least) {
  if (lane.table.accepted_ids_waiting() < least) return;
  const std::vector<AcceptedId> ids = lane.table.take_accepted_ids();
  // A whole one lists all that are live when it begins.
  if (!course.whole) give_ids(lane.partition(), course.generation + 1, ids);
}

void Checkpointer::give_ids(int partition, std::uint64_t generation,
                            const std::vector<AcceptedId>& ids) {
  for (std::size_t first = 0; first < ids.size(); first += ids_of_a_chunk) {
    const std::size_t count = std::min(ids_of_a_chunk, ids.size() - first);
    ByteWriter out;
    for (std::size_t i = first; i < first + count; ++i) {
      write_entry(IdEntry{ids[i].key, ids[i].time_ms, ids[i].slot}, out);
    }
    writer_.add(partition, generation, ChunkKind::ids, out.take(), count);
  }
}

}  // namespace tidemark
