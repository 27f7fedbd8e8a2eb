// Payers beside merchants: whose event is in whose windows, and what a row says without a payer.
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
  - {name: paid, aggregate: sum, of: paid, window: 30d, empty: -1}
  - {name: paid_mean, aggregate: mean, of: paid, window: 1d, delay: 1d, empty: -1}
)";

class Payers : public testing::Test {
 protected:
  void pay(const std::string& payer, const std::string& merchant, std::int64_t amount_minor,
           const std::string& currency = "CNY") {
    Line line;
    line.payer = payer;
    line.merchant = merchant;
    line.amount_minor = amount_minor;
    line.currency = currency;
    line.time_ms = april_ms + static_cast<std::int64_t>(stream_.batch.rows()) * minute_ms;
    stream_.add(line);
  }
  /// Columns of the last row, for every split of the stream into batches.
  std::vector<float> last_row() {
    std::vector<float> row;
    for (const std::size_t size : {1, 2, 1000}) {
      MerchantTable table(plan_, small_options());
      const TableRun run = run_table(table, stream_.batch, {size}, 2);
      const std::vector<float>& now = run.features.at(stream_.batch.rows() - 1);
      if (!row.empty()) {
        EXPECT_EQ(bits_of(row), bits_of(now));
      }
      row = now;
    }
    return row;
  }

  Stream stream_;
  std::shared_ptr<const FeaturePlan> plan_ = FeaturePlan::parse(spec, "payers");
};

TEST_F(Payers, WindowsGoAcrossMerchants) {
  pay("p", "m-1", 100);
  pay("p", "m-2", 200);
  pay("q", "m-2", 5000);
  pay("p", "m-2", 400);
  const auto row = last_row();
  EXPECT_EQ(row[0], 56);
  EXPECT_EQ(row[1], 7);
  EXPECT_EQ(row[2], -1) << "an empty window of a payer that there is";
}

TEST_F(Payers, EventsWithoutPayerShareNothing) {
  pay("", "m-1", 100);
  pay("", "m-1", 200);
  const auto row = last_row();
  EXPECT_EQ(row[0], 3);
  EXPECT_TRUE(std::isnan(row[1])) << "also where the spec gives a value for an empty window";
  EXPECT_TRUE(std::isnan(row[2]));
}

TEST_F(Payers, AnotherCurrencyIsInNoWindow) {
  pay("p", "m-1", 100);
  pay("p", "m-2", 700, "EUR");
  EXPECT_TRUE(std::isnan(last_row()[1]));
  pay("p", "m-1", 200);
  EXPECT_EQ(last_row()[1], 3);
}

TEST_F(Payers, WhatIsNotScoredIsNotPaid) {
  pay("p", "m-1", 100);
  Line twice;
  twice.id = "e-0";
  twice.payer = "p";
  twice.time_ms = april_ms;
  stream_.add(twice);  // a duplicate of the first
  pay("p", "m-1", 300);
  EXPECT_EQ(last_row()[1], 4);
}

TEST_F(Payers, InvoicesAreABuyersWhereAMeasureOfThePayerReadsThem) {
  pay("p", "m-1", 100);
  Line bought;
  bought.type = EventType::issued;
  bought.payer = "p";
  bought.amount_minor = 900;
  bought.time_ms = april_ms + minute_ms;
  stream_.add(bought);
  EXPECT_TRUE(std::isnan(last_row()[1]));
  const std::string own_invoices = "  bought: {entity: payer, source: invoices}\n";
  std::string both(spec);
  both.insert(both.find("features:"), own_invoices);
  plan_ = FeaturePlan::parse(both, "payers");
  EXPECT_EQ(last_row()[1], 1) << "it is the payer's, and no payment";
}

TEST_F(Payers, TheirFingerprintIsThatOfTheirColumns) {
  const auto of = [](std::string text, std::string_view from, std::string_view to) {
    text.replace(text.find(from), from.size(), to);
    return FeaturePlan::parse(text, "payers");
  };
  const auto other_merchant = of(std::string(spec), "of: got, window: 30d", "of: got, window: 7d");
  EXPECT_NE(other_merchant->fingerprint(), plan_->fingerprint());
  EXPECT_EQ(other_merchant->payer_fingerprint(), plan_->payer_fingerprint());
  const auto other_payer = of(std::string(spec), "of: paid, window: 30d", "of: paid, window: 7d");
  EXPECT_NE(other_payer->payer_fingerprint(), plan_->payer_fingerprint());
}

TEST_F(Payers, ADuplicateThatIsAskedForIsReadAndNotCounted) {
  pay("p", "m", 100);
  pay("p", "m", 100);
  stream_.batch.outcome = {Outcome::scored, Outcome::duplicate};
  PayerTable payers(plan_, {9, "UTC"});
  FeatureMatrix matrix;
  matrix.resize(2, plan_->names().size());
  ThreadPool pool(1);
  payers.apply(stream_.batch, std::vector<std::uint32_t>{0, 1}, matrix,
               *make_segmenter(Backend::cpu), pool);
  EXPECT_EQ(matrix.row(0)[1], 1);
  EXPECT_EQ(matrix.row(1)[1], 1);
}

TEST_F(Payers, AFullTableNamesItsSetting) {
  pay("p", "m", 1);
  pay("q", "m", 1);
  PayerTable payers(plan_, {1, "UTC"});
  for (std::size_t row = 0; row < 2; ++row) stream_.batch.outcome[row] = Outcome::scored;
  FeatureMatrix matrix;
  matrix.resize(2, plan_->names().size());
  ThreadPool pool(1);
  try {
    payers.apply(stream_.batch, std::vector<std::uint32_t>{0, 1}, matrix,
                 *make_segmenter(Backend::cpu), pool);
    FAIL();
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("capacity.payers_max is 1"));
  }
}

}  // namespace
}  // namespace tidemark::test
