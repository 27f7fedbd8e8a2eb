// StartingPoints: checkpoints as places where a verification may begin. One that is taken has the
// state that the journal names where it stands, so nothing is believed that the log does not say.
// One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "stream/checkpoint/store.hpp"
#include "stream/pipeline/recovery.hpp"

namespace tidemark {

class StartingPoints {
 public:
  /// Asks for no checkpoint yet. Throws UsageError when the configuration names no store.
  explicit StartingPoints(const Config& config);

  /// The journal offset behind the oldest checkpoint of a partition that fits, or behind one
  /// generation. Throws RunError that says why none does.
  std::int64_t journal_behind(int partition, std::uint64_t generation);

  /// The newest one that stands before the journal's record at `until`, restored. Throws RunError
  /// that says why none does.
  RestoredLane restore(int partition, std::int64_t until, ReleaseSet& releases, ThreadPool& pool);

 private:
  struct Judged;
  Judged judge(const CheckpointManifest& manifest);
  [[noreturn]] void throw_none(int partition, const std::string& why) const;

  const Config& config_;
  ReaderClient client_;
  std::unique_ptr<CheckpointStore> store_;
  std::shared_ptr<const FeaturePlan> plan_;
};

}  // namespace tidemark
