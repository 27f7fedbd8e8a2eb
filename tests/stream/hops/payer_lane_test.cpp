// The payers of one log: what they are counted from, whatever the batches, and what a duplicate
// sees.
#include "stream/hops/payer_lane.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "kernels/base/failure.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

constexpr std::string_view spec = R"(spec: payers
measures:
  got: {source: payments, types: [payment], value: amount}
  paid: {entity: payer, source: payments, types: [payment], value: amount}
features:
  - {name: got, aggregate: sum, of: got, window: 30d}
  - {name: paid, aggregate: sum, of: paid, window: 30d}
  - {name: times, aggregate: count, of: paid, window: 1d}
)";

class PayerLanes : public testing::Test {
 protected:
  PayerLanes() {
    config_.payers_max = 50;
    config_.dedup_events_max = 1'000;
    config_.dedup_horizon_ms = 48 * hour_ms;
    config_.zone = "UTC";
  }
  std::size_t pay(const std::string& payer, const std::string& merchant, std::int64_t amount_minor,
                  double at_h, const std::string& id = "") {
    Line line;
    line.payer = payer;
    line.merchant = merchant;
    line.amount_minor = amount_minor;
    line.id = id;
    line.time_ms = april_ms + static_cast<std::int64_t>(at_h * hour_ms);
    return stream_.add(line);
  }
  /// [row][column] of the payers' two; nothing for a row without features.
  std::vector<std::vector<float>> run(std::size_t batch_rows) {
    ThreadPool pool(2);
    const auto segmenter = make_segmenter(Backend::cpu);
    PayerLane lane(plan_, config_);
    std::vector<std::vector<float>> all;
    for (std::size_t first = 0; first < stream_.batch.rows(); first += batch_rows) {
      const std::size_t count = std::min(batch_rows, stream_.batch.rows() - first);
      EventBatch batch;
      batch.append(stream_.batch, first, count);
      lane.take(batch, *segmenter, pool);
      for (std::size_t row = 0; row < count; ++row) {
        const auto features = lane.features(row);
        all.emplace_back();
        if (!features.empty()) all.back() = {features[1], features[2]};
      }
    }
    return all;
  }
  /// The same for every split of the log.
  std::vector<std::vector<float>> rows() {
    const auto whole = run(1'000);
    for (const std::size_t batch_rows : {1, 2, 3}) EXPECT_EQ(run(batch_rows), whole);
    return whole;
  }

  Config config_;
  Stream stream_;
  std::shared_ptr<const FeaturePlan> plan_ = FeaturePlan::parse(spec, "payers");
};

TEST_F(PayerLanes, WindowsGoAcrossMerchants) {
  pay("p", "m-1", 100, 0);
  pay("q", "m-1", 500, 1);
  pay("p", "m-2", 200, 25);
  const std::vector<std::vector<float>> expected = {{1, 1}, {5, 1}, {3, 1}};
  EXPECT_EQ(rows(), expected);
}

TEST_F(PayerLanes, WithoutAPayerOrNotWellThereIsNothing) {
  pay("", "m-1", 100, 0);
  stream_.batch.outcome[pay("p", "m-1", 100, 0)] = Outcome::dead_lettered;
  pay("p", "m-1", 300, 1);
  const std::vector<std::vector<float>> expected = {{}, {}, {3, 1}};
  EXPECT_EQ(rows(), expected);
}

TEST_F(PayerLanes, ADuplicateSeesItsPayerAndIsNotCounted) {
  pay("p", "m-1", 100, 0, "a");
  pay("p", "m-1", 100, 0, "a");
  pay("p", "m-2", 100, 1, "a");  // the id of another merchant's event
  pay("q", "m-1", 700, 2, "a");  // and of another payer's
  pay("p", "m-1", 100, 0, "a");
  pay("p", "m-1", 400, 3, "b");
  const std::vector<std::vector<float>> expected = {{1, 1}, {1, 1}, {2, 2}, {7, 1}, {2, 2}, {6, 3}};
  EXPECT_EQ(rows(), expected);
}

TEST_F(PayerLanes, AnIdIsForgottenBehindThePayersOwnClock) {
  pay("p", "m-1", 100, 0, "a");
  pay("q", "m-1", 100, 200, "b");  // another payer's time is another's
  pay("p", "m-1", 100, 48, "a");
  pay("p", "m-1", 100, 48.5, "c");
  pay("p", "m-1", 200, 48.5, "a");
  const auto all = rows();
  EXPECT_EQ(all[2][0], 1) << "48 hours are within the horizon";
  EXPECT_EQ(all[3][0], 2);
  EXPECT_EQ(all[4][0], 4);
}

TEST_F(PayerLanes, AFullTableIsNamed) {
  const auto error = [this] {
    try {
      run(1);
    } catch (const RunError& failure) {
      return std::string(failure.what());
    }
    return std::string("no error");
  };
  config_.dedup_events_max = 3;
  for (int i = 0; i < 30; ++i) pay("p", "m-1", 100, 0.1 * i);
  EXPECT_THAT(error(), testing::HasSubstr("capacity.dedup_events_max is 3"));
  config_.dedup_events_max = 1'000;
  config_.payers_max = 2;
  for (const char* payer : {"a", "b", "c"}) pay(payer, "m-1", 100, 4);
  EXPECT_THAT(error(), testing::HasSubstr("capacity.payers_max is 2"));
}

}  // namespace
}  // namespace tidemark::test
