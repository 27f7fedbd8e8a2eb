// See starting_points.hpp.
#include "stream/verify/starting_points.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/base/failure.hpp"
#include "stream/pipeline/checkpointer.hpp"

namespace tidemark {
namespace {

/// Whatever the group has committed: it is the journal that a checkpoint is held against.
SourceOffsets anything() {
  SourceOffsets offsets;
  offsets.fill(std::numeric_limits<std::int64_t>::max());
  return offsets;
}

}  // namespace

/// Where a checkpoint stands, or why it is no place to begin.
struct StartingPoints::Judged {
  std::int64_t offset = -1;
  std::string why;
};

StartingPoints::StartingPoints(const Config& config)
    : config_(config),
      client_(config.kafka),
      store_(open_checkpoint_store(config, config.kafka)),
      plan_(FeaturePlan::load(config.features_spec)) {
  if (store_) return;
  throw UsageError(config.file +
                   ": checkpoint: neither directory nor topic names a store, so there is no "
                   "checkpoint to begin from");
}

StartingPoints::Judged StartingPoints::judge(const CheckpointManifest& manifest) {
  const std::string& journal = config_.kafka.output(OutputTopic::journal);
  const auto bounds = client_.settled_bounds(journal, manifest.partition);
  const auto place = place_in_journal(manifest, bounds, client_, journal);
  if (!place) {
    return {-1, fmt::format("{} begins at offset {} and no longer has the record where it stands, "
                            "to compare its state hash with",
                            journal, bounds.begin)};
  }
  return {place->offset, place->why_not};
}

std::int64_t StartingPoints::journal_behind(int partition, std::uint64_t generation) {
  auto stored = read_manifests(*store_, checkpoint_folder(config_.kafka.group_id, partition));
  std::reverse(stored.begin(), stored.end());  // the oldest first
  std::string why;
  for (const StoredManifest& one : stored) {
    if (one.error.empty() && generation != 0 && one.manifest.generation != generation) continue;
    Judged judged{-1, one.error};
    if (judged.why.empty()) judged.why = unfit(one.manifest, config_, *plan_, anything());
    if (judged.why.empty()) judged = judge(one.manifest);
    if (judged.why.empty()) return judged.offset + 1;
    why += fmt::format("; {}: {}", one.name, judged.why);
  }
  throw_none(partition, why);
}

RestoredLane StartingPoints::restore(int partition, std::int64_t until, ReleaseSet& releases,
                                     ThreadPool& pool) {
  std::string why;
  const auto foreign = [&](const CheckpointManifest& manifest) {
    const Judged judged = judge(manifest);
    if (!judged.why.empty() || judged.offset < until) return judged.why;
    return fmt::format("it stands at offset {} of {}, the range begins at {}", judged.offset,
                       config_.kafka.output(OutputTopic::journal), until);
  };
  auto restored = restore_newest(
      *store_, {config_, *plan_, anything(), foreign, &why}, partition,
      [&] { return releases.engine().make_lane(partition); }, pool);
  if (!restored) throw_none(partition, why);
  return std::move(*restored);
}

void StartingPoints::throw_none(int partition, const std::string& why) const {
  throw RunError(fmt::format("partition {}: {} has no checkpoint of group {} to begin from{}",
                             partition, store_->where(), config_.kafka.group_id, why));
}

}  // namespace tidemark
