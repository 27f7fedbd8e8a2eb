// See checkpoint_bench.hpp.
#include "bench/checkpoint/checkpoint_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "bench/windows/made_events.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/window/segment.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "stream/pipeline/checkpointer.hpp"
#include "stream/pipeline/engine.hpp"

namespace tidemark {
namespace {

using std::chrono::steady_clock;

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

/// A lane and the part of the engine that changes its state.
class Stand {
 public:
  Stand(const Config& config, std::shared_ptr<const FeaturePlan> plan)
      : config_(config),
        plan_(std::move(plan)),
        pool_(config.threads),
        segmenter_(make_segmenter(Backend::cpu)),
        lane_(make_lane(config, plan_, 0)),
        checkpoints_(config, plan_, open_checkpoint_store(config, config.kafka)) {
    checkpoints_.open(*lane_, std::nullopt);
  }

  double run(MadeEvents& events, std::size_t count) {
    events.fill(batch_, count);
    const auto start = steady_clock::now();
    lane_->table.admit(batch_, 0, batch_.rows());
    lane_->adopt_new_merchants();
    matrix_row_.assign(batch_.rows(), UINT32_MAX);
    std::uint32_t scored = 0;
    for (std::size_t row = 0; row < batch_.rows(); ++row) {
      if (batch_.outcome[row] == Outcome::scored) matrix_row_[row] = scored++;
      if (batch_.slot[row] != no_slot) lane_->touch(batch_.slot[row]);
    }
    segmenter_->run(batch_.slot, lane_->table.size(), segments_);
    matrix_.resize(scored, plan_->names().size());
    lane_->table.apply(batch_, segments_, matrix_row_, matrix_, pool_);
    return seconds_since(start);
  }

  /// One checkpoint from its begin to its manifest, with batches of `events` between the copies.
  CheckpointCost checkpoint(MadeEvents& events, std::size_t batch) {
    CheckpointCost cost;
    std::vector<double> before, meanwhile;
    for (int i = 0; i < 5; ++i) before.push_back(run(events, batch));
    lane_->state_hash();
    SourceOffsets next{};
    next[0] = ++position_;
    auto start = steady_clock::now();
    const auto begun = checkpoints_.begin(*lane_, next, "bench", true);
    if (!begun) throw RunError("bench checkpoint: none was begun");
    cost.begin_ms = 1e3 * seconds_since(start);
    checkpoints_.committed(*begun, position_);
    const auto copying = steady_clock::now();
    while (lane_->snapshot().active()) {
      start = steady_clock::now();
      checkpoints_.advance(*lane_);
      cost.longest_copy_ms = std::max(cost.longest_copy_ms, 1e3 * seconds_since(start));
      meanwhile.push_back(run(events, batch));
    }
    cost.copy_s = seconds_since(copying);
    checkpoints_.settle();
    cost.write_s = seconds_since(copying);
    std::sort(before.begin(), before.end());
    cost.slowest_batch = *std::max_element(meanwhile.begin(), meanwhile.end()) / before[2];
    const auto status = checkpoints_.status(0);
    if (!status->last || status->last->generation != begun->generation) {
      throw RunError("bench checkpoint: it was not published; see the log");
    }
    manifest_ = *status->last;
    return cost;
  }

  /// Seconds of a restore into a lane of its own; this one is gone first.
  double restore() {
    lane_.reset();
    const auto start = steady_clock::now();
    const auto lane = restore_lane(
        checkpoints_.store(), checkpoint_folder(manifest_.group, 0), manifest_,
        [this] { return make_lane(config_, plan_, 0); }, pool_);
    return seconds_since(start);
  }

  const CheckpointManifest& manifest() const { return manifest_; }
  std::uint32_t merchants() const { return lane_->table.size(); }

 private:
  const Config& config_;
  std::shared_ptr<const FeaturePlan> plan_;
  ThreadPool pool_;
  std::unique_ptr<Segmenter> segmenter_;
  std::unique_ptr<Lane> lane_;
  Checkpointer checkpoints_;
  CheckpointManifest manifest_;
  EventBatch batch_;
  Segments segments_;
  std::vector<std::uint32_t> matrix_row_;
  FeatureMatrix matrix_;
  std::int64_t position_ = 0;
};

void count_chunks(const CheckpointManifest& manifest, std::uint64_t generation,
                  CheckpointCost& cost) {
  for (const ChunkRef& chunk : manifest.chunks) {
    if (chunk.generation != generation) continue;
    cost.bytes += chunk.bytes;
    cost.raw_bytes += chunk.raw_bytes;
    if (chunk.kind == ChunkKind::merchants) cost.merchants += chunk.entries;
  }
}

Config config_of(const CheckpointBenchOptions& options) {
  Config config;
  config.merchants_max = options.merchants;
  config.dedup_events_max = 4 * std::uint64_t{options.merchants} + 10'000'000;
  config.dedup_horizon_ms = 48LL * 3'600'000;
  config.zone = "UTC";
  config.threads = options.threads;
  if (options.topic.empty()) config.checkpoint_directory = options.work;
  config.kafka.bootstrap_servers = options.brokers;
  config.kafka.checkpoint_topic = options.topic;
  config.checkpoint_interval_s = 1;
  config.checkpoint_keep = 1;
  config.kafka.group_id = "bench";
  return config;
}

}  // namespace

CheckpointBenchResult bench_checkpoint(const CheckpointBenchOptions& options) {
  if (options.topic.empty() != options.brokers.empty()) {
    throw UsageError("--brokers and --topic belong together");
  }
  if (options.topic.empty() && std::filesystem::exists(options.work) &&
      !std::filesystem::is_empty(options.work)) {
    throw UsageError(options.work.string() +
                     ": is not empty; name a folder of the benchmark's own");
  }
  const Config config = config_of(options);
  if (!options.topic.empty()) create_topics(config.kafka, 0);
  const auto plan = FeaturePlan::load(options.spec);
  CheckpointBenchResult result;
  result.bytes_per_merchant = plan->bytes_per_merchant();
  {
    Stand stand(config, plan);
    MadeEvents all(Spread::uniform, options.merchants, 20 * std::size_t{options.merchants});
    // Twelve events a merchant on average: next to none is left out.
    for (std::size_t done = 0; done < 12 * std::size_t{options.merchants}; done += options.batch) {
      stand.run(all, options.batch);
    }
    MadeEvents some(Spread::uniform, options.dirty, 20'000'000);
    result.whole = stand.checkpoint(some, options.batch);
    count_chunks(stand.manifest(), 1, result.whole);
    for (std::size_t done = 0; done < 4 * std::size_t{options.dirty}; done += options.batch) {
      stand.run(some, options.batch);
    }
    result.dirty = stand.checkpoint(some, options.batch);
    count_chunks(stand.manifest(), 2, result.dirty);
    result.restore_s = stand.restore();
  }
  if (options.topic.empty()) std::filesystem::remove_all(options.work);
  return result;
}

std::string to_table(const CheckpointBenchResult& result) {
  std::string text = fmt::format("{} bytes a merchant in memory\n", result.bytes_per_merchant);
  const auto add = [&](const char* name, const CheckpointCost& cost) {
    text += fmt::format(
        "{}: {} merchants, stands still {:.1f} ms, longest copy {:.1f} ms, slowest batch {:.2f} of "
        "the usual,\n  copied in {:.2f} s, written in {:.2f} s, {:.1f} MB of {:.1f} MB\n",
        name, cost.merchants, cost.begin_ms, cost.longest_copy_ms, cost.slowest_batch, cost.copy_s,
        cost.write_s, static_cast<double>(cost.bytes) / 1e6,
        static_cast<double>(cost.raw_bytes) / 1e6);
  };
  add("whole", result.whole);
  add("changed", result.dirty);
  return text + fmt::format("restored in {:.2f} s\n", result.restore_s);
}

std::string to_json(const CheckpointBenchResult& result) {
  const auto of = [](const CheckpointCost& cost) {
    return fmt::format(
        R"({{"merchants":{},"begin_ms":{:.3f},"longest_copy_ms":{:.3f},"slowest_batch":{:.3f},)"
        R"("copy_s":{:.3f},"write_s":{:.3f},"bytes":{},"raw_bytes":{}}})",
        cost.merchants, cost.begin_ms, cost.longest_copy_ms, cost.slowest_batch, cost.copy_s,
        cost.write_s, cost.bytes, cost.raw_bytes);
  };
  return fmt::format(R"({{"bytes_per_merchant":{},"whole":{},"changed":{},"restore_s":{:.3f}}})",
                     result.bytes_per_merchant, of(result.whole), of(result.dirty),
                     result.restore_s);
}

}  // namespace tidemark
