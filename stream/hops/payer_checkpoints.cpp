// See payer_checkpoints.hpp. A partition has one log and one order, so the offset in it is all that
// a state needs to be placed; it stands for the journal's, too.
#include "stream/hops/payer_checkpoints.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/fill.hpp"

namespace tidemark {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr auto payments = static_cast<std::size_t>(Source::payments);

class PayerTarget final : public CheckpointTarget {
 public:
  explicit PayerTarget(PayerLane& lane) : lane_(lane) {}
  void take_slot(std::uint32_t slot, ByteReader& from) override { lane_.restore_payer(slot, from); }
  void end_slots() override { lane_.end_payers(); }
  void take_id(const IdEntry& id) override { lane_.restore_id(id); }
  void take_rest(ByteReader& from) override {
    require_bytes(from.number() == lane_.payers(), "has another number of payers");
  }

 private:
  PayerLane& lane_;
};

std::string settings_of(const Config& config) {
  return fmt::format("zone={};dedup_horizon_ms={}", config.zone, config.dedup_horizon_ms);
}

}  // namespace

PayerCheckpoints::PayerCheckpoints(const Config& config, const KafkaSettings& kafka,
                                   std::shared_ptr<const FeaturePlan> plan,
                                   std::unique_ptr<CheckpointStore> store)
    : config_(config),
      group_(kafka.group_id),
      plan_(std::move(plan)),
      store_(std::move(store)),
      writer_(*store_, {.group = group_,
                        .keep = config.checkpoint_keep,
                        .ids_horizon_ms = config.dedup_horizon_ms}) {}

std::string unfit_for_payers(const CheckpointManifest& manifest, const Config& config,
                             const FeaturePlan& plan, std::int64_t committed) {
  if (manifest.spec != plan.payer_fingerprint()) return "it is of other features of payers";
  if (manifest.layout != payer_layout(plan)) return "its records are laid out otherwise";
  if (manifest.settings != settings_of(config)) {
    return fmt::format("it was made with the settings {}, now they are {}", manifest.settings,
                       settings_of(config));
  }
  if (manifest.next[payments] > committed) {
    return fmt::format("it stands at offset {}, the group has committed {}",
                       manifest.next[payments], committed);
  }
  return {};
}

std::unique_ptr<PayerLane> restore_payers(const CheckpointStore& store, const std::string& folder,
                                          const CheckpointManifest& manifest, const Config& config,
                                          const std::shared_ptr<const FeaturePlan>& plan,
                                          ThreadPool& pool) {
  auto lane = std::make_unique<PayerLane>(plan, config);
  try {
    lane->begin_restore(manifest.merchants, ids_in(manifest));
    PayerTarget target(*lane);
    fill(store, folder, manifest, target, pool);
  } catch (const MalformedBytes& malformed) {
    throw RunError(fmt::format("the checkpoint {}", malformed.what));
  }
  if (lane->state_hash() != manifest.state_hash) {
    throw RunError(fmt::format("the restored state has hash {:016x}, the manifest says {:016x}",
                               lane->state_hash(), manifest.state_hash));
  }
  return lane;
}

PayerCheckpoints::Opened PayerCheckpoints::open(int partition, std::int64_t committed,
                                                ThreadPool& pool) {
  const std::string folder = checkpoint_folder(group_, partition);
  Opened opened;
  std::optional<CheckpointManifest> from;
  for (StoredManifest& stored : read_manifests(*store_, folder)) {
    std::string why = stored.error;
    try {
      if (why.empty()) why = unfit_for_payers(stored.manifest, config_, *plan_, committed);
      if (why.empty()) {
        opened.lane = restore_payers(*store_, folder, stored.manifest, config_, plan_, pool);
        opened.next = stored.manifest.next[payments];
        from = std::move(stored.manifest);
        break;
      }
    } catch (const RunError& error) {
      why = error.what();
    }
    spdlog::warn("payers of partition {}: checkpoint {} is passed over: {}", partition, stored.name,
                 why);
  }
  Course& course = courses_[partition] = {};
  course.begun_at = steady_clock::now();
  course.generation = last_generation(*store_, folder);
  course.whole = !from;
  writer_.open(partition, std::move(from));
  if (!opened.lane) opened.lane = std::make_unique<PayerLane>(plan_, config_);
  opened.lane->remember_changes();
  return opened;
}

void PayerCheckpoints::close(int partition) {
  courses_.erase(partition);
  writer_.close(partition);
}

std::function<void()> PayerCheckpoints::begin(int partition, PayerLane& lane, std::int64_t next,
                                              bool at_once) {
  Course& course = courses_.at(partition);
  const auto now = steady_clock::now();
  const auto interval = std::chrono::seconds(config_.checkpoint_interval_s);
  if (!at_once && now - course.begun_at < interval) return {};
  course.begun_at = now;
  // Nothing new: what is published says it all.
  const auto status = writer_.status(partition);
  if (status && status->last && status->last->next[payments] == next) return {};
  const std::uint64_t generation = ++course.generation;
  if (writer_.begins_anew(partition, generation)) course.whole = true;
  const auto add = [&](ChunkKind kind, std::string entries, std::size_t count) {
    writer_.add(partition, generation, kind, std::move(entries), count);
  };
  lane.save_changes(std::exchange(course.whole, false), add);
  ByteWriter rest;
  rest.number(lane.payers());
  add(ChunkKind::rest, rest.take(), 1);

  CheckpointManifest head;
  head.partition = partition;
  head.generation = generation;
  head.group = group_;
  head.spec = plan_->payer_fingerprint();
  head.settings = settings_of(config_);
  head.layout = payer_layout(*plan_);
  head.made_at_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch())
          .count();
  head.next.fill(-1);
  head.next[payments] = next;
  head.state_hash = lane.state_hash();
  head.merchants = lane.payers();
  writer_.seal(std::move(head));
  return [this, partition, generation, next] { writer_.committed(partition, generation, next); };
}

}  // namespace tidemark
