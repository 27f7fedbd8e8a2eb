// A lane's checkpoints: what is handed out is the lane as it was when the checkpoint began, however
// the stream goes on meanwhile, and a lane that is restored goes on as the one that never stopped.
#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "kernels/base/failure.hpp"
#include "kernels/window/segment.hpp"
#include "stream/pipeline/checkpointer.hpp"
#include "stream/pipeline/engine.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::string_view spec = R"(spec: lane
measures:
  pay: {source: payments, types: [payment], value: amount}
features:
  - {name: amount, event: amount}
  - {name: sum_30d, aggregate: sum, of: pay, window: 30d}
  - {name: max_1h, aggregate: max, of: pay, window: 1h}
  - {name: payers, aggregate: distinct, of: pay, window: 7d}
)";

Config config_in(const fs::path& folder) {
  Config config;
  config.merchants_max = 500;
  config.payers_max = 1;
  config.dead_letters_of_last = 300;
  config.dedup_events_max = 100'000;
  config.dedup_horizon_ms = 48LL * 3'600'000;
  config.zone = "UTC";
  config.checkpoint_directory = folder;
  config.checkpoint_interval_s = 3'600;
  config.checkpoint_keep = 2;
  config.kafka.group_id = "group";
  return config;
}

fs::path fresh_folder(const std::string& name) {
  const fs::path folder =
      fs::path(testing::TempDir()) / ("checkpoint-" + name + "-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  return folder;
}

/// A lane and what the engine does to it, as far as state goes.
class Stand {
 public:
  explicit Stand(const Config& config)
      : config_(config), plan(FeaturePlan::parse(spec, "s")), lane(make_lane()) {}

  std::unique_ptr<Lane> make_lane() const { return tidemark::make_lane(config_, plan, 3); }

  void run(const EventBatch& all, std::size_t first, std::size_t count) {
    EventBatch rows;
    rows.append(all, first, count);
    lane->table.admit(rows, 0, count);
    lane->adopt_new_merchants();
    std::vector<std::uint32_t> matrix_row(count, UINT32_MAX);
    std::uint32_t scored = 0;
    for (std::size_t row = 0; row < count; ++row) {
      if (rows.outcome[row] == Outcome::scored) matrix_row[row] = scored++;
      if (rows.slot[row] != no_slot) lane->touch(rows.slot[row]);
      lane->counts[static_cast<std::size_t>(rows.source[row])].add(rows.outcome[row]);
      lane->dead_letters.add(row % 3 == 0);
    }
    Segments segments;
    make_segmenter(Backend::cpu)->run(rows.slot, lane->table.size(), segments);
    FeatureMatrix matrix;
    matrix.resize(scored, plan->names().size());
    lane->table.apply(rows, segments, matrix_row, matrix, pool);
    for (std::size_t row = 0; row < count; ++row) {
      if (rows.slot[row] == no_slot) continue;
      if (rows.source[row] == Source::merchants) lane->adopt_profile(rows.slot[row], rows, row);
      DecisionState& state = lane->decisions[rows.slot[row]];
      state.clock_ms = std::max(state.clock_ms, rows.event_time_ms[row]);
      state.limit_minor += rows.amount_minor[row];
    }
    lane->tick_ms = rows.event_time_ms[0];
  }

 private:
  const Config& config_;

 public:
  std::shared_ptr<const FeaturePlan> plan;
  ThreadPool pool{2};
  std::unique_ptr<Lane> lane;
};

Stream random_stream(std::uint32_t seed, int events, int merchants) {
  std::mt19937 random(seed);
  Stream stream;
  for (int i = 0; i < events; ++i) {
    Line line;
    line.merchant = "m-" + std::to_string(random() % static_cast<unsigned>(merchants));
    line.id = "e-" + std::to_string(random() % 5'000);
    line.time_ms = 1'600'000'000'000 + std::int64_t{i} * 60'000;
    line.amount_minor = random() % 10'000;
    line.payer = "p-" + std::to_string(random() % 50);
    if (random() % 30 == 0) {
      line.type = EventType::profile;
      line.time_zone = "Asia/Shanghai";
    }
    stream.add(std::move(line));
  }
  return stream;
}

SourceOffsets offsets(std::int64_t at) {
  SourceOffsets next{};
  next[0] = at;
  return next;
}

RC_GTEST_PROP(LaneCheckpoint, IsTheLaneAsItWasWhenItBegan, (std::uint32_t seed)) {
  const Config config = config_in(fresh_folder("property"));
  const Stream stream = random_stream(seed, 1'500, 40);
  Stand stand(config);
  Checkpointer checkpoints(config, stand.plan, open_checkpoint_store(config, config.kafka));
  checkpoints.open(*stand.lane, std::nullopt);
  std::mt19937 random(seed);
  std::size_t at = 0;
  const auto some = [&] {
    const std::size_t count = std::min<std::size_t>(1 + random() % 120, 1'500 - at);
    if (count > 0) stand.run(stream.batch, at, count);
    at += count;
  };
  std::uint64_t hash = 0;
  std::size_t begun_at = 0;
  for (int generation = 1; generation <= 4; ++generation) {
    some();
    hash = stand.lane->state_hash();
    begun_at = at;
    const auto begun = checkpoints.begin(*stand.lane, offsets(generation), "r", true);
    RC_ASSERT(begun.has_value());
    // The stream goes on while it is copied, bit by bit.
    for (int i = 0; i < 3 && stand.lane->snapshot().active(); ++i) {
      some();
      stand.lane->snapshot().advance(*stand.lane, 1'000);
      stand.lane->state_hash();
    }
    checkpoints.finish(*stand.lane);
    checkpoints.committed(*begun, generation);
    checkpoints.settle();
  }
  Stand again(config);
  auto restored = restore_newest(
      checkpoints.store(), {config, *again.plan, offsets(4), {}}, 3,
      [&] { return again.make_lane(); }, again.pool);
  RC_ASSERT(restored.has_value());
  RC_ASSERT(restored->manifest.generation == 4U);
  RC_ASSERT(restored->lane->state_hash() == hash);
  again.lane = std::move(restored->lane);
  if (at > begun_at) again.run(stream.batch, begun_at, at - begun_at);
  some();
  if (at < 1'500) stand.run(stream.batch, at, 1'500 - at);
  again.lane->tick_ms = stand.lane->tick_ms;
  Stand whole(config);
  whole.run(stream.batch, 0, 1'500);
  whole.lane->tick_ms = stand.lane->tick_ms;
  RC_ASSERT(stand.lane->state_hash() == whole.lane->state_hash());
}

/// Two checkpoints, the second after more events; then a look at what a restore makes of it.
class Restore : public testing::Test {
 protected:
  void SetUp() override {
    config_ =
        config_in(fresh_folder(testing::UnitTest::GetInstance()->current_test_info()->name()));
    stand_ = std::make_unique<Stand>(config_);
    checkpoints_ = std::make_unique<Checkpointer>(config_, stand_->plan,
                                                  open_checkpoint_store(config_, config_.kafka));
    checkpoints_->open(*stand_->lane, std::nullopt);
    for (int i = 0; i < 2; ++i) {
      stand_->run(stream_.batch, static_cast<std::size_t>(i) * 500, 500);
      hashes_[i] = stand_->lane->state_hash();
      const auto begun = checkpoints_->begin(*stand_->lane, offsets(i + 1), "r", true);
      checkpoints_->finish(*stand_->lane);
      checkpoints_->committed(*begun, i + 1);
      checkpoints_->settle();
    }
  }

  std::optional<RestoredLane> restore(const Config& config, std::int64_t committed = 100) {
    return restore_newest(
        checkpoints_->store(), {config, *stand_->plan, offsets(committed), foreign_}, 3,
        [&] { return stand_->make_lane(); }, stand_->pool);
  }
  std::vector<StoredManifest> manifests() {
    return read_manifests(checkpoints_->store(), "group/p00003");
  }
  void overwrite(const std::string& name, const std::string& bytes) {
    open_directory_store(config_.checkpoint_directory)->put("group/p00003/" + name, bytes);
  }

  const Stream stream_ = random_stream(9, 1'000, 40);
  Config config_;
  std::unique_ptr<Stand> stand_;
  std::unique_ptr<Checkpointer> checkpoints_;
  std::uint64_t hashes_[2] = {};
  std::function<std::string(const CheckpointManifest&)> foreign_;
};

TEST_F(Restore, TakesTheNewestThatIsCommitted) {
  EXPECT_EQ(restore(config_)->lane->state_hash(), hashes_[1]);
  EXPECT_EQ(restore(config_, 2)->lane->state_hash(), hashes_[1]);
  EXPECT_EQ(restore(config_, 1)->lane->state_hash(), hashes_[0]);
  EXPECT_FALSE(restore(config_, 0));
}

TEST_F(Restore, GoesBackOneWhereAChunkIsBroken) {
  const auto all = manifests();
  for (const ChunkRef& chunk : all[0].manifest.chunks) {
    if (chunk.generation == 2) overwrite(chunk.name, "torn");
  }
  EXPECT_EQ(restore(config_)->lane->state_hash(), hashes_[0]);
  fs::remove_all(config_.checkpoint_directory / "group");
  EXPECT_FALSE(restore(config_));
}

TEST_F(Restore, GoesBackOneWhereTheHashIsAnother) {
  CheckpointManifest lie = manifests()[0].manifest;
  lie.state_hash ^= 1;
  ++lie.revision;
  overwrite(manifest_name(lie, "liar").substr(13), encode_manifest(lie));
  EXPECT_EQ(restore(config_)->lane->state_hash(), hashes_[1]);  // the revision before it
}

TEST_F(Restore, GoesBackOneWhereTheJournalIsAnother) {
  foreign_ = [](const CheckpointManifest& m) { return m.generation == 2 ? "foreign" : ""; };
  EXPECT_EQ(restore(config_)->lane->state_hash(), hashes_[0]);
}

TEST_F(Restore, TakesNoneOfOtherSettings) {
  Config other = config_;
  other.dedup_horizon_ms += 1;
  EXPECT_FALSE(restore(other));
  other = config_;
  other.zone = "Asia/Shanghai";
  EXPECT_FALSE(restore(other));
  EXPECT_THAT(unfit(manifests()[0].manifest, other, *stand_->plan, offsets(9)),
              HasSubstr("zone=UTC"));
  const auto plan = FeaturePlan::parse(std::string(spec) + "  - {name: x, event: weekend}\n", "s");
  EXPECT_THAT(unfit(manifests()[0].manifest, config_, *plan, offsets(9)),
              HasSubstr("another feature spec"));
}

TEST_F(Restore, GoesOnFromACheckpointWithTheNextOne) {
  auto restored = restore(config_);
  Stand again(config_);
  again.lane = std::move(restored->lane);
  Checkpointer checkpoints(config_, again.plan, open_checkpoint_store(config_, config_.kafka));
  checkpoints.open(*again.lane, std::move(restored->manifest));
  const Stream more = random_stream(10, 300, 60);
  again.run(more.batch, 0, 300);
  const std::uint64_t hash = again.lane->state_hash();
  const auto begun = checkpoints.begin(*again.lane, offsets(3), "r", true);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->generation, 3U);
  checkpoints.finish(*again.lane);
  checkpoints.committed(*begun, 3);
  checkpoints.settle();
  EXPECT_EQ(restore(config_)->lane->state_hash(), hash);
  // Nothing happened since: there is nothing to write.
  EXPECT_FALSE(checkpoints.begin(*again.lane, offsets(3), "r", true));
}

TEST_F(Restore, CountsOnFromTheLastGenerationThoughItIsBroken) {
  const auto all = manifests();
  for (const ChunkRef& chunk : all[0].manifest.chunks) {
    if (chunk.generation == 2) overwrite(chunk.name, "torn");
  }
  auto restored = restore(config_);
  ASSERT_EQ(restored->manifest.generation, 1U);
  Stand again(config_);
  again.lane = std::move(restored->lane);
  Checkpointer checkpoints(config_, again.plan, open_checkpoint_store(config_, config_.kafka));
  checkpoints.open(*again.lane, std::move(restored->manifest));
  again.run(stream_.batch, 500, 500);
  const std::uint64_t hash = again.lane->state_hash();
  const auto begun = checkpoints.begin(*again.lane, offsets(2), "r", true);
  EXPECT_EQ(begun->generation, 3U);
  checkpoints.finish(*again.lane);
  checkpoints.committed(*begun, 2);  // where the broken one stands
  checkpoints.settle();
  EXPECT_EQ(manifests()[0].manifest.generation, 3U);
  EXPECT_EQ(restore(config_)->lane->state_hash(), hash);
}

TEST_F(Restore, RemembersIdsAcrossCheckpoints) {
  auto restored = restore(config_);
  Stand again(config_);
  again.lane = std::move(restored->lane);
  EventBatch rows;
  rows.append(stream_.batch, 900, 100);
  again.lane->table.admit(rows, 0, 100);
  for (std::size_t row = 0; row < 100; ++row) {
    if (rows.source[row] != Source::payments) continue;
    EXPECT_EQ(rows.outcome[row], Outcome::duplicate) << row;
  }
}

}  // namespace
}  // namespace tidemark::test
