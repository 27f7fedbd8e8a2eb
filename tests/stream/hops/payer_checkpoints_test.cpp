// Checkpoints of payers: restored at any moment, and from any of several in a row, the lane goes on
// to the same bits; what is not committed, not whole or not of these settings is passed over.
#include "stream/hops/payer_checkpoints.hpp"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

constexpr std::string_view spec = R"(spec: payers
measures:
  paid: {entity: payer, source: payments, types: [payment], value: amount}
features:
  - {name: paid, aggregate: sum, of: paid, window: 30d}
  - {name: times, aggregate: count, of: paid, window: 1d}
  - {name: most, aggregate: max, of: paid, window: 7d}
)";
constexpr std::size_t step_rows = 7;

class PayerCheckpointing : public testing::Test {
 protected:
  PayerCheckpointing() {
    config_.payers_max = 1'000;
    config_.dedup_events_max = 10'000;
    config_.dedup_horizon_ms = 48 * hour_ms;
    config_.checkpoint_keep = 2;
    config_.zone = "Asia/Shanghai";
    kafka_.group_id = "test-payers";
    std::filesystem::remove_all(folder_);
  }
  ~PayerCheckpointing() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<PayerCheckpoints> checkpoints() {
    return std::make_unique<PayerCheckpoints>(config_, kafka_, plan_,
                                              open_directory_store(folder_));
  }
  /// Some come again, within the horizon of duplicates and behind it.
  void fill_stream(std::size_t rows) {
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t i = row % 7 == 6 ? row - 6 : row >= 120 && row % 11 == 0 ? row - 120 : row;
      Line line;
      line.payer = "p-" + std::to_string(i * i % 23);
      line.merchant = "m-" + std::to_string(i % 3);
      line.id = "e-" + std::to_string(i);
      line.amount_minor = static_cast<std::int64_t>(100 + i * 37 % 1'000);
      line.time_ms = april_ms + static_cast<std::int64_t>(i) * hour_ms / 2;
      stream_.add(line);
    }
  }
  /// Rows [first, end) through a lane; their features behind one another.
  std::vector<float> take(PayerLane& lane, std::size_t first, std::size_t end) {
    std::vector<float> all;
    EventBatch batch;
    batch.append(stream_.batch, first, end - first);
    lane.take(batch, *segmenter_, pool_);
    for (std::size_t row = 0; row < end - first; ++row) {
      const auto features = lane.features(row);
      all.insert(all.end(), features.begin(), features.end());
    }
    return all;
  }
  /// A process: opens, repeats what is committed and not in its state, and commits up to `end` with
  /// a checkpoint each step. Returns where it began.
  std::int64_t serve(std::size_t committed, std::size_t end) {
    const auto kept = checkpoints();
    auto [lane, next] = kept->open(0, static_cast<std::int64_t>(committed), pool_);
    if (committed > static_cast<std::size_t>(next)) {
      take(*lane, static_cast<std::size_t>(next), committed);
    }
    for (std::size_t at = committed; at < end;) {
      const std::size_t to = std::min(at + step_rows, end);
      take(*lane, at, to);
      at = to;
      const auto behind = kept->begin(0, *lane, static_cast<std::int64_t>(at), true);
      if (behind) behind();
      kept->settle();
    }
    return next;
  }
  std::size_t manifests() const {
    std::size_t count = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_)) {
      if (file.path().string().ends_with(".manifest.json")) ++count;
    }
    return count;
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) /
      ("payer-checkpoints-" +
       std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + "-" +
       std::to_string(::getpid()));
  Config config_;
  KafkaSettings kafka_;
  Stream stream_;
  ThreadPool pool_{2};
  std::unique_ptr<Segmenter> segmenter_ = make_segmenter(Backend::cpu);
  std::shared_ptr<const FeaturePlan> plan_ = FeaturePlan::parse(spec, "payers");
};

TEST_F(PayerCheckpointing, ARestoredLaneGoesOnToTheSameBits) {
  fill_stream(200);
  PayerLane whole(plan_, config_);
  const std::vector<float> before = take(whole, 0, 120);
  const std::vector<float> expected = take(whole, 120, 200);
  EXPECT_EQ(serve(0, 50), 0);
  EXPECT_EQ(serve(50, 120), 50);
  const auto kept = checkpoints();
  const auto [lane, next] = kept->open(0, 120, pool_);
  EXPECT_EQ(next, 120);
  const std::vector<float> found = take(*lane, 120, 200);
  EXPECT_EQ(bits_of(found), bits_of(expected));
  EXPECT_EQ(lane->state_hash(), whole.state_hash());
  EXPECT_LE(manifests(), 4U) << "older ones are collected";
}

TEST_F(PayerCheckpointing, WhatIsBehindIsRepeatedFromTheLog) {
  fill_stream(200);
  PayerLane whole(plan_, config_);
  take(whole, 0, 200);
  serve(0, 70);
  EXPECT_EQ(serve(110, 200), 70) << "committed beyond the checkpoint";
  const auto [lane, next] = checkpoints()->open(0, 200, pool_);
  EXPECT_EQ(next, 200);
  EXPECT_EQ(lane->state_hash(), whole.state_hash());
}

TEST_F(PayerCheckpointing, WhatWasNotCommittedIsNotPublished) {
  fill_stream(100);
  {
    const auto kept = checkpoints();
    const auto [lane, next] = kept->open(0, 0, pool_);
    take(*lane, 0, 50);
    EXPECT_TRUE(kept->begin(0, *lane, 50, true));
    kept->settle();
  }
  EXPECT_EQ(checkpoints()->open(0, 50, pool_).next, 0);
}

TEST_F(PayerCheckpointing, ACheckpointAheadOfTheCommitIsPassedOver) {
  fill_stream(100);
  serve(0, 70);
  EXPECT_EQ(checkpoints()->open(0, 66, pool_).next, 63) << "the one before";
  EXPECT_EQ(checkpoints()->open(0, 10, pool_).next, 0);
}

TEST_F(PayerCheckpointing, OtherSettingsOrFeaturesTakeNone) {
  fill_stream(50);
  serve(0, 50);
  config_.zone = "UTC";
  EXPECT_EQ(checkpoints()->open(0, 50, pool_).next, 0);
  config_.zone = "Asia/Shanghai";
  EXPECT_EQ(checkpoints()->open(0, 50, pool_).next, 50);
  std::string other(spec);
  other.replace(other.find("window: 1d"), 10, "window: 2d");
  plan_ = FeaturePlan::parse(other, "payers");
  EXPECT_EQ(checkpoints()->open(0, 50, pool_).next, 0);
  config_.payers_max = 3;
  plan_ = FeaturePlan::parse(spec, "payers");
  EXPECT_EQ(checkpoints()->open(0, 50, pool_).next, 0) << "they do not fit any more";
}

TEST_F(PayerCheckpointing, ABrokenChunkGoesBackOrToTheLog) {
  fill_stream(50);
  serve(0, 50);
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder_)) {
    if (!file.path().string().ends_with(".chunk")) continue;
    std::filesystem::resize_file(file.path(), file.file_size() - 1);
  }
  const auto [lane, next] = checkpoints()->open(0, 50, pool_);
  EXPECT_EQ(next, 0);
  EXPECT_EQ(lane->payers(), 0U);
}

}  // namespace
}  // namespace tidemark::test
