// The generator's promises: the same bytes for the same seed, arrival order, good lines that the
// parser accepts, bad ones that it does not, and something of everything that the models need.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "kernels/base/failure.hpp"
#include "stream/parse/parser.hpp"
#include "stream/source/file_source.hpp"
#include "tools/generate/generator.hpp"
#include "tools/generate/random.hpp"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

class GenerateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("generate_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path run(const std::string& name, GenerateOptions options, GenerateSummary* out = nullptr) {
    options.out = (folder_ / name).string();
    const GenerateSummary summary = generate(options);
    if (out != nullptr) *out = summary;
    return folder_ / name;
  }

  static std::string bytes_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
  }

  /// Every row of a file, by way of the product's own reader and parser.
  static EventBatch rows_of(const fs::path& folder, Source source) {
    FileSource file(source, (folder / (std::string(name_of(source)) + ".jsonl")).string(), 0);
    EventBatch rows;
    Parser parser({});
    while (const auto raw = file.read(4096)) {
      rows.keep(raw);
      const std::size_t first = rows.grow(raw->records.size());
      parser.parse(*raw, 0, raw->records.size(), rows, first);
    }
    return rows;
  }

  fs::path folder_;
};

constexpr const char* file_names[] = {"payments.jsonl", "invoices.jsonl", "merchants.jsonl",
                                      "signals.jsonl", "feedback.jsonl"};

GenerateOptions small() {
  GenerateOptions options;
  options.merchants = 120;
  options.days = 45;
  options.seed = 5;
  return options;
}

std::uint64_t fnv(const std::string& bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

TEST_F(GenerateTest, SameSeedSameBytes) {
  const auto a = run("a", small()), b = run("b", small());
  auto other = small();
  other.seed = 6;
  const auto c = run("c", other);
  std::string all;
  for (const char* name : file_names) {
    const std::string bytes = bytes_of(a / name);
    EXPECT_FALSE(bytes.empty()) << name;
    EXPECT_EQ(bytes, bytes_of(b / name)) << name;
    EXPECT_NE(bytes, bytes_of(c / name)) << name;
    all += bytes;
  }
  // The same on every machine and with every compiler: this number only changes with the scene.
  EXPECT_EQ(fnv(all), 17621881803314943648u);
}

TEST_F(GenerateTest, BadLinesStandBesideTheGoodOnes) {
  auto clean = small(), dirty = small();
  clean.bad_share = 0;
  dirty.bad_share = 0.05;
  GenerateSummary with, without;
  const auto a = run("clean", clean, &without), b = run("dirty", dirty, &with);
  EXPECT_EQ(without.bad_lines, 0u);
  EXPECT_EQ(with.lines, without.lines);
  std::size_t refused = 0, future = 0;
  for (const Source source : {Source::payments, Source::invoices}) {
    const EventBatch good = rows_of(a, source), mixed = rows_of(b, source);
    std::size_t next = 0;
    for (std::size_t row = 0; row < mixed.rows(); ++row) {
      if (next < good.rows() && mixed.raw_value[row] == good.raw_value[next]) {
        EXPECT_EQ(good.error[next], RowError::none) << good.raw_value[next];
        ++next;
      } else if (mixed.error[row] != RowError::none) {
        ++refused;
      } else {
        // Only a clock tells that these are wrong.
        EXPECT_GT(mixed.event_time_ms[row], 7'000'000'000'000) << mixed.raw_value[row];
        ++future;
      }
    }
    EXPECT_EQ(next, good.rows());
  }
  EXPECT_EQ(refused + future, with.bad_lines);
  EXPECT_GT(future, 0u);
  EXPECT_GT(refused, future * 5);
}

TEST_F(GenerateTest, EverySourceParses) {
  GenerateSummary summary;
  const auto folder = run("a", small(), &summary);
  for (const Source source : {Source::merchants, Source::signals, Source::feedback}) {
    const EventBatch rows = rows_of(folder, source);
    EXPECT_EQ(rows.rows(), summary.lines[static_cast<std::size_t>(source)]);
    for (std::size_t row = 0; row < rows.rows(); ++row) {
      ASSERT_EQ(rows.error[row], RowError::none) << rows.raw_value[row] << rows.error_message[row];
    }
  }
  EXPECT_GE(rows_of(folder, Source::merchants).rows(), 115u);
}

TEST_F(GenerateTest, ArrivalsAreNearlyInEventTimeAndSomeAreLateOrTwice) {
  const EventBatch rows = rows_of(run("a", small()), Source::payments);
  std::int64_t clock = 0;
  std::size_t behind_minutes = 0, behind_years = 0, twice = 0;
  std::set<std::uint64_t> ids;
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    if (rows.error[row] != RowError::none || rows.event_time_ms[row] > 7'000'000'000'000) continue;
    const std::int64_t lag = clock - rows.event_time_ms[row];
    behind_minutes += lag > 60'000 ? 1 : 0;
    behind_years += lag > 600LL * 86'400'000 ? 1 : 0;
    twice += ids.insert(rows.event_id_hash[row]).second ? 0 : 1;
    clock = std::max(clock, rows.event_time_ms[row]);
  }
  const auto share = [&](std::size_t count) {
    return static_cast<double>(count) / static_cast<double>(rows.rows());
  };
  EXPECT_GT(share(behind_minutes), 0.003);
  EXPECT_LT(share(behind_minutes), 0.02);
  EXPECT_LT(behind_years, 20u);
  EXPECT_GT(share(twice), 0.001);
  EXPECT_LT(share(twice), 0.01);
}

TEST_F(GenerateTest, FeedbackNamesPaymentsThatWereThereBefore) {
  auto options = small();
  options.merchants = 400;
  options.days = 90;
  const auto folder = run("a", options);
  const EventBatch payments = rows_of(folder, Source::payments);
  std::map<std::uint64_t, std::int64_t> time_of;
  std::map<EventType, int> kinds;
  for (std::size_t row = 0; row < payments.rows(); ++row) {
    time_of.emplace(payments.event_id_hash[row], payments.event_time_ms[row]);
    ++kinds[payments.type[row]];
  }
  for (const EventType type :
       {EventType::payment, EventType::refund, EventType::chargeback, EventType::payout}) {
    EXPECT_GT(kinds[type], 10) << name_of(type);
  }
  const EventBatch feedback = rows_of(folder, Source::feedback);
  for (std::size_t row = 0; row < feedback.rows(); ++row) {
    ++kinds[feedback.type[row]];
    if (feedback.type[row] != EventType::fraud) continue;
    const auto named = time_of.find(feedback.ref_hash[row]);
    ASSERT_NE(named, time_of.end()) << feedback.raw_value[row];
    EXPECT_GE(feedback.event_time_ms[row] - named->second, 2LL * 86'400'000);
  }
  for (const EventType type : {EventType::fraud, EventType::loan_default, EventType::repaid}) {
    EXPECT_GT(kinds[type], 5) << name_of(type);
  }
  const EventBatch invoices = rows_of(folder, Source::invoices);
  for (std::size_t row = 0; row < invoices.rows(); ++row) ++kinds[invoices.type[row]];
  for (const EventType type : {EventType::issued, EventType::paid, EventType::cancelled,
                               EventType::overdue, EventType::disputed}) {
    EXPECT_GT(kinds[type], 5) << name_of(type);
  }
}

TEST_F(GenerateTest, OneMerchantIsHotAndTheMeanIsWhatWasAskedFor) {
  auto options = small();
  options.merchants = 1000;
  options.days = 28;
  const EventBatch rows = rows_of(run("a", options), Source::payments);
  std::map<std::uint64_t, double> count;
  for (std::size_t row = 0; row < rows.rows(); ++row) ++count[rows.merchant_hash[row]];
  double most = 0;
  for (const auto& [merchant, n] : count) most = std::max(most, n);
  const double mean = static_cast<double>(rows.rows()) / 28 / 1000;
  EXPECT_GT(most / static_cast<double>(rows.rows()), 0.05);
  EXPECT_GT(mean, options.events_per_day * 0.7);
  EXPECT_LT(mean, options.events_per_day * 1.4);
}

TEST_F(GenerateTest, AFolderThatCannotBeMadeIsARunError) {
  std::ofstream(folder_ / "file") << "x";
  auto options = small();
  options.out = (folder_ / "file" / "below").string();
  EXPECT_THROW(generate(options), RunError);
}

TEST(PortableMath, IsCloseToTheLibrary) {
  for (double x = -40; x < 40; x += 0.0371) {
    EXPECT_NEAR(portable_exp(x) / std::exp(x), 1, 1e-13);
    EXPECT_NEAR(portable_log(std::exp(x)), x, 1e-13 * std::max(1.0, std::abs(x)));
  }
  Random random(3);
  double sum = 0, squares = 0, events = 0, waits = 0;
  for (int i = 0; i < 200'000; ++i) {
    const double n = random.normal();
    sum += n;
    squares += n * n;
    events += static_cast<double>(random.poisson(i % 2 == 0 ? 2.5 : 60.0));
    waits += random.exponential(3.0);
  }
  EXPECT_NEAR(sum / 2e5, 0, 0.01);
  EXPECT_NEAR(squares / 2e5, 1, 0.01);
  EXPECT_NEAR(events / 2e5, 31.25, 0.1);
  EXPECT_NEAR(waits / 2e5, 3, 0.05);
}

}  // namespace
}  // namespace tidemark
