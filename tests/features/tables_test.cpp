// Tables of peers and seasons beside a spec: what is refused and where, which line holds when, what
// is missing and stays missing, what a fingerprint and a checkpoint make of them.
#include <gmock/gmock.h>

#include <cmath>

#include "kernels/base/failure.hpp"
#include "tests/features/tabled_spec.hpp"

namespace tidemark::test {
namespace {

constexpr std::string_view spec_head = R"(spec: s
tables: {peers: peers.csv, seasons: seasons.csv}
measures:
  pay: {source: payments, types: [payment], value: amount}
  paid: {entity: payer, source: payments, value: amount}
features:
  - {name: sum, aggregate: sum, of: pay, window: 7d}
  - {name: count, aggregate: count, of: pay, window: 7d}
  - {name: unseen, aggregate: count, of: pay, window: 7d, hidden: true}
  - {name: paid, aggregate: sum, of: paid, window: 7d}
)";

class TablesTest : public ::testing::Test {
 protected:
  TablesTest() { write("", ""); }

  void write(const std::string& more_peers, const std::string& more_seasons) {
    folder.write("peers.csv", peers_header +
                                  "2018-03-01,count,retail,east,,10,2.5,40\n"
                                  "2018-03-01,sum,retail,east,CNY,200.5,50,40\n"
                                  "2018-03-01,sum,retail,east,JPY,3000,700,9\n"
                                  "2018-04-03,sum,retail,east,CNY,400,,41\n" +
                                  more_peers);
    folder.write("seasons.csv", seasons_header +
                                    "2018-01-01,sum,retail,3,0.5\n"
                                    "2018-01-01,sum,retail,4,2\n"
                                    "2018-04-20,sum,retail,4,4\n" +
                                    more_seasons);
  }
  std::shared_ptr<const FeaturePlan> plan(const std::string& features) const {
    return FeaturePlan::parse(std::string(spec_head) + features, folder.file("spec.yaml"));
  }
  /// The message without the folder.
  std::string refusal(const std::string& features) const {
    try {
      plan(features);
    } catch (const UsageError& error) {
      const std::string text = error.what(), path = folder.file("");
      return text.starts_with(path) ? text.substr(path.size()) : text;
    }
    return "";
  }
  static Line profile(const std::string& region, const std::string& currency = "") {
    Line line;
    line.type = EventType::profile;
    line.time_ms = april_ms;
    line.region = region;
    line.profile_currency = currency;
    return line;
  }
  static Line payment(std::int64_t time_ms, std::int64_t amount_minor,
                      const std::string& currency = "CNY") {
    Line line;
    line.time_ms = time_ms;
    line.amount_minor = amount_minor;
    line.currency = currency;
    return line;
  }

  Folder folder;
};

const std::string good = "  - {name: p, peers: sum}\n  - {name: s, season: sum}\n";

TEST_F(TablesTest, WhatDoesNotFitTheSpecIsRefusedWithLineAndColumn) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"peers: nothing", "spec.yaml:11:22: 'nothing' is no feature above this one"},
      {"peers: unseen", "spec.yaml:11:22: feature.peers: 'unseen' is hidden"},
      {"peers: paid", "spec.yaml:11:22: feature.peers: 'paid' is a payer's"},
      {"season: count", "spec.yaml:11:23: feature.season: "},
      {"peers: sum, statistic: median", "spec.yaml:11:38: feature.statistic: 'median' is none of"},
      {"peers: sum, delay: 1d", "spec.yaml:11:27: unknown setting 'feature.delay'"},
      {"season: sum, delay: 1mo", "spec.yaml:11:35: feature.delay: '1mo' is not up to 1000d"},
      {"season: sum, delay: 2h", "spec.yaml:11:35: feature.delay: '2h' is not up to 1000d"},
      {"peers: sum, season: sum", "spec.yaml:11:12: feature.name: 'x' needs exactly one of"},
  };
  for (const auto& [feature, message] : cases) {
    EXPECT_THAT(refusal("  - {name: x, " + feature + "}\n"), testing::StartsWith(message));
  }
  EXPECT_THAT(refusal("  - {name: x, season: count}\n"),
              testing::HasSubstr("seasons.csv has no line of 'count'"));
}

TEST_F(TablesTest, ATableThatIsNamedHasToBeThere) {
  std::filesystem::remove(folder.file("seasons.csv"));
  EXPECT_THAT(refusal(good),
              testing::StartsWith("spec.yaml:2:37: tables.seasons: there is no file"));
  folder.write("none.yaml", "");
  try {
    FeaturePlan::parse(
        "spec: s\nfeatures:\n  - {name: a, event: amount}\n  - {name: p, peers: a}\n", "spec.yaml");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(),
                testing::StartsWith("spec.yaml:4:22: feature.peers: the spec's tables"));
  }
}

TEST_F(TablesTest, WhatDoesNotFitATableIsRefusedWithLineAndField) {
  const std::vector<std::pair<std::string, std::string>> peers = {
      {"2018-04-03,sum,retail,east,CNY,1,1,1",
       "6:1: as_of: the line before has the same as_of, fe"},
      {"2018-04-02,sum,retail,east,CNY,1,1,1", "6:1: as_of: lines are to be sorted by as_of, feat"},
      {"2018-04-03,sum,food,east,CNY,1,1,1", "6:1: as_of: lines are to be sorted by"},
      {"2018-04-33,sum,retail,east,CNY,1,1,1", "6:1: as_of: expected a day"},
      {"2018-04-04,,retail,east,CNY,1,1,1", "6:12: feature: is empty"},
      {"2018-04-04,sum,retail,,CNY,1,1,1", "6:23: region: is empty"},
      {"2018-04-04,sum,retail,east,YUAN,1,1,1", "6:28: currency: 'YUAN' is no currency"},
      {"2018-04-04,sum,retail,east,CNY,much,1,1", "6:32: mean: expected a number"},
      {"2018-04-04,sum,retail,east,CNY,nan,1,1", "6:32: mean: expected a number"},
      {"2018-04-04,sum,retail,east,CNY,1,-1,1", "6:34: stddev: expected a number from 0"},
      {"2018-04-04,sum,retail,east,CNY,1,1,-1", "6:36: merchants: expected a number from 0"},
      {"2018-04-04,sum,retail,east,,1,1,1", "6: currency: 'sum' is of money, which has one"},
  };
  for (const auto& [line, message] : peers) {
    write(line + "\n", "");
    EXPECT_THAT(refusal(good), testing::StartsWith("peers.csv:" + message)) << line;
  }
  const std::vector<std::pair<std::string, std::string>> seasons = {
      {"2018-04-20,sum,retail,4,4",
       "5:1: as_of: the line before has the same as_of, feature, indu"},
      {"2018-04-20,sum,retail,3,4",
       "5:1: as_of: lines are to be sorted by as_of, feature, industry"},
      {"2018-04-21,sum,retail,13,4", "5:23: month: expected a number from 1 to 12"},
      {"2018-04-21,sum,retail,4.5,4", "5:23: month: expected 1 to 12"},
      {"2018-04-21,sum,retail,4,0", "5:25: factor: expected a number from 0.001 to 1000"},
      {"2018-04-21,sum,retail,4,-1", "5:25: factor: expected a number from 0.001 to 1000"},
  };
  for (const auto& [line, message] : seasons) {
    write("", line + "\n");
    EXPECT_THAT(refusal(good), testing::StartsWith("seasons.csv:" + message)) << line;
  }
  write("2018-04-04,count,retail,east,CNY,1,1,1\n", "");
  EXPECT_THAT(refusal("  - {name: p, peers: count}\n"),
              testing::StartsWith("peers.csv:6: currency: 'count' is of no money"));
}

constexpr std::string_view against = R"(  - {name: peers, peers: sum}
  - {name: spread, peers: sum, statistic: stddev}
  - {name: over, ratio: [sum, peers]}
  - {name: change, change: [sum, peers]}
  - {name: beyond, difference: [sum, peers]}
  - {name: season, season: sum}
  - {name: before, season: sum, delay: 1w}
  - {name: plain, ratio: [sum, season]}
)";
// Behind sum, count and paid.
std::vector<float> tail(const std::vector<float>& row) {
  return {row.begin() + 3, row.end()};
}

TEST_F(TablesTest, TheNewestLineThatIsNotAfterTheClocksDayHolds) {
  Stream stream;
  stream.add(profile("east"));
  const auto first = stream.add(payment(april_ms, 40'100));
  const auto next = stream.add(payment(april_ms + 2 * day_ms, 0));
  const auto late = stream.add(payment(april_ms, 39'900));
  const auto end = stream.add(payment(april_ms + 19 * day_ms, 100));
  MerchantTable table(plan(std::string(against)), small_options());
  const TableRun run = run_table(table, stream.batch, {2}, 1);
  // On the first of April the week before lay in March.
  EXPECT_THAT(tail(run.features.at(first)),
              testing::ElementsAre(200.5, 50, 2, 1, 200.5, 2, 0.5, 200.5));
  using testing::IsNan;
  EXPECT_THAT(tail(run.features.at(next)),
              testing::ElementsAre(400, IsNan(), testing::FloatEq(1.0025F),
                                   testing::FloatEq(0.0025F), 1, 2, 0.5, 200.5));
  EXPECT_EQ(run.features.at(late)[3], 400) << "read at the clock, as windows are";
  EXPECT_THAT(tail(run.features.at(end)),
              testing::ElementsAre(400, IsNan(), 0.0025F, -0.9975F, -399, 4, 4, 0.25));
}

TEST_F(TablesTest, WhatNoLineSpeaksOfIsMissing) {
  Stream stream;
  const auto unknown = stream.add(payment(april_ms, 100));
  stream.add(profile("west"));
  const auto elsewhere = stream.add(payment(april_ms, 100));
  stream.add(profile("east"));
  const auto known = stream.add(payment(april_ms, 100));
  stream.add(profile("east", "USD"));
  const auto dollars = stream.add(payment(april_ms, 100, "USD"));
  stream.add(profile("east", "JPY"));
  const auto yen = stream.add(payment(april_ms, 300, "JPY"));
  Line forget = profile("");
  forget.type = EventType::tombstone;
  stream.add(forget);
  const auto forgotten = stream.add(payment(april_ms, 100));
  MerchantTable table(plan(std::string(against)), small_options());
  const TableRun run = run_table(table, stream.batch, {3}, 1);
  const auto peers = [&](std::size_t row) { return run.features.at(row)[3]; };
  const auto season = [&](std::size_t row) { return run.features.at(row)[8]; };
  EXPECT_TRUE(std::isnan(peers(unknown)) && std::isnan(season(unknown)));
  EXPECT_TRUE(std::isnan(peers(elsewhere)));
  EXPECT_EQ(season(elsewhere), 2) << "seasons are the industry's, in every region";
  EXPECT_EQ(peers(known), 200.5F);
  EXPECT_TRUE(std::isnan(peers(dollars))) << "no mean of amounts in dollars";
  EXPECT_EQ(season(dollars), 2);
  EXPECT_EQ(peers(yen), 3000);
  EXPECT_EQ(run.features.at(yen)[5], 0.1F);
  EXPECT_TRUE(std::isnan(peers(forgotten)) && std::isnan(season(forgotten)));
}

TEST_F(TablesTest, TheFingerprintIsOfWhatChangesBits) {
  const std::string first = plan(good)->fingerprint();
  EXPECT_NE(plan("")->fingerprint(), first);
  EXPECT_EQ(plan(good)->fingerprint(), first);
  write("2018-04-04,unused,retail,east,,1,1,1\n", "# a remark\n");
  EXPECT_EQ(plan(good)->fingerprint(), first) << "nothing reads that line";
  write("2018-04-04,sum,retail,east,CNY,1,7,1\n", "");
  const std::string more = plan(good)->fingerprint();
  EXPECT_NE(more, first);
  write("2018-04-04,sum,retail,east,CNY,1,8,99\n", "");
  EXPECT_EQ(plan(good)->fingerprint(), more) << "no feature reads stddev";
  write("2018-04-04,sum,retail,west,CNY,1,8,99\n", "");
  EXPECT_NE(plan(good)->fingerprint(), more);
  write("", "2018-04-20,sum,retail,5,4\n");
  EXPECT_NE(plan(good)->fingerprint(), first);
}

TEST_F(TablesTest, ARestoredMerchantFindsItsPeersByName) {
  Stream stream;
  stream.add(profile("east"));
  stream.add(payment(april_ms, 40'100));
  MerchantTable table(plan(std::string(against)), small_options());
  run_table(table, stream.batch, {2}, 1);
  ByteWriter out;
  table.save(0, table.hot(0), out);
  write("2018-04-04,sum,food,east,CNY,1,1,1\n", "");  // food comes before retail
  MerchantTable other(plan(std::string(against)), small_options());
  other.begin_restore(1, 0);
  ByteReader in(out.view());
  other.restore(0, in);
  other.end_restore();
  std::vector<float> row(other.plan().names().size());
  other.read_out(0, april_ms, row);
  EXPECT_EQ(row[3], 200.5F);
}

}  // namespace
}  // namespace tidemark::test
