// See restore.hpp.
#include "stream/pipeline/restore.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/fill.hpp"

namespace tidemark {
namespace {

class LaneTarget final : public CheckpointTarget {
 public:
  LaneTarget(Lane& lane, ThreadPool& pool) : lane_(lane), pool_(pool) {}
  void take_slot(std::uint32_t slot, ByteReader& from) override {
    lane_.restore_merchant(slot, from);
  }
  void end_slots() override {
    lane_.end_restore(pool_);
    lane_.table.list_accepted_ids();
  }
  void take_id(const IdEntry& id) override {
    lane_.table.restore_id({id.key, id.time_ms, id.slot, 0});
  }
  void take_rest(ByteReader& from) override { lane_.restore_rest(from); }

 private:
  Lane& lane_;
  ThreadPool& pool_;
};

}  // namespace

std::string state_settings(const Config& config) {
  return fmt::format("zone={};dedup_horizon_ms={};sweep_interval_ms={}", config.zone,
                     config.dedup_horizon_ms, config.sweep_interval_ms);
}

std::string unfit(const CheckpointManifest& manifest, const Config& config, const FeaturePlan& plan,
                  const std::array<std::int64_t, source_count>& committed) {
  if (manifest.spec != plan.fingerprint()) return "it is of another feature spec";
  if (manifest.layout != record_layout(plan)) return "its records are laid out otherwise";
  if (manifest.settings != state_settings(config)) {
    return fmt::format("it was made with the settings {}, now they are {}", manifest.settings,
                       state_settings(config));
  }
  for (int s = 0; s < source_count; ++s) {
    const auto source = static_cast<Source>(s);
    if (source == Source::control) continue;  // its offsets are in the journal alone
    const std::int64_t next = manifest.next[static_cast<std::size_t>(s)];
    const std::int64_t done = committed[static_cast<std::size_t>(s)];
    if (next > done) {
      return fmt::format("it stands at offset {} of {}, the group has committed {}", next,
                         name_of(source), done);
    }
  }
  return {};
}

std::unique_ptr<Lane> restore_lane(const CheckpointStore& store, const std::string& folder,
                                   const CheckpointManifest& manifest,
                                   const std::function<std::unique_ptr<Lane>()>& make_lane,
                                   ThreadPool& pool) {
  std::unique_ptr<Lane> lane = make_lane();
  try {
    lane->begin_restore(manifest.merchants, ids_in(manifest));
    LaneTarget target(*lane, pool);
    fill(store, folder, manifest, target, pool);
    lane->table.take_accepted_ids();  // they are in a chunk already
  } catch (const MalformedBytes& malformed) {
    throw RunError(fmt::format("the checkpoint {}", malformed.what));
  }
  if (lane->state_hash() != manifest.state_hash) {
    throw RunError(fmt::format("the restored state has hash {:016x}, the manifest says {:016x}",
                               lane->state_hash(), manifest.state_hash));
  }
  return lane;
}

std::optional<RestoredLane> restore_newest(const CheckpointStore& store, const RestoreTerms& terms,
                                           int partition,
                                           const std::function<std::unique_ptr<Lane>()>& make_lane,
                                           ThreadPool& pool) {
  const std::string folder = checkpoint_folder(terms.config.kafka.group_id, partition);
  for (StoredManifest& stored : read_manifests(store, folder)) {
    std::string why = stored.error;
    try {
      const auto began = std::chrono::steady_clock::now();
      if (why.empty()) why = unfit(stored.manifest, terms.config, terms.plan, terms.committed);
      if (why.empty() && terms.foreign) why = terms.foreign(stored.manifest);
      if (why.empty()) {
        RestoredLane restored{restore_lane(store, folder, stored.manifest, make_lane, pool),
                              std::move(stored.manifest)};
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        spdlog::info("partition {}: checkpoint {} of {} merchants restored in {:.2f} s", partition,
                     restored.manifest.generation, restored.manifest.merchants, took.count());
        return restored;
      }
    } catch (const RunError& error) {
      why = error.what();
    }
    spdlog::warn("partition {}: checkpoint {} is passed over: {}", partition, stored.name, why);
    if (terms.passed_over != nullptr)
      *terms.passed_over += fmt::format("; {}: {}", stored.name, why);
  }
  return std::nullopt;
}

}  // namespace tidemark
