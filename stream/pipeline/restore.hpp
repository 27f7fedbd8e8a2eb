// Restore: a lane from the newest checkpoint that can be believed. Whatever is wrong with one is
// said, and the one before it is tried; in the end there is the log.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kernels/runtime/thread_pool.hpp"
#include "stream/checkpoint/manifest.hpp"
#include "stream/pipeline/config.hpp"
#include "stream/pipeline/lane.hpp"

namespace tidemark {

struct RestoredLane {
  std::unique_ptr<Lane> lane;
  CheckpointManifest manifest;
};

/// What of a configuration a state depends on, beside the spec; one line.
std::string state_settings(const Config& config);

/// Why a checkpoint is none for this configuration and for what the group has committed; empty when
/// it is one. Offsets of `committed` below 0 are none.
std::string unfit(const CheckpointManifest& manifest, const Config& config, const FeaturePlan& plan,
                  const std::array<std::int64_t, source_count>& committed);

/// A lane with the state of a manifest, its hash compared. Throws RunError for chunks that are
/// missing or broken, and for a state with another hash.
std::unique_ptr<Lane> restore_lane(const CheckpointStore& store, const std::string& folder,
                                   const CheckpointManifest& manifest,
                                   const std::function<std::unique_ptr<Lane>()>& make_lane,
                                   ThreadPool& pool);

/// What a checkpoint is held against before it is restored.
struct RestoreTerms {
  const Config& config;
  const FeaturePlan& plan;
  std::array<std::int64_t, source_count> committed{};
  /// Why a checkpoint is not this log's, or nothing; may be empty.
  std::function<std::string(const CheckpointManifest&)> foreign;
  std::string* passed_over = nullptr;  // takes the names of those that do not fit, with the reasons
};

/// The newest that fits and is whole; nothing where there is none. Each that is passed over is
/// logged with the reason.
std::optional<RestoredLane> restore_newest(const CheckpointStore& store, const RestoreTerms& terms,
                                           int partition,
                                           const std::function<std::unique_ptr<Lane>()>& make_lane,
                                           ThreadPool& pool);

}  // namespace tidemark
