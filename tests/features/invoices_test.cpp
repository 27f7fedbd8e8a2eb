// Days from issue to payment and days past due: which day they are of, what closes an invoice, what
// becomes of more than are held, what a spec may ask for. Small streams written out by hand; the
// random ones are in the property tests.
#include <gmock/gmock.h>

#include <cmath>

#include "kernels/base/failure.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

constexpr std::string_view measures =
    "spec: invoices\n"
    "measures:\n"
    "  paid: {source: invoices, types: [paid], value: days_to_pay, open: 3}\n"
    "  all_paid: {source: invoices, types: [paid], value: amount}\n"
    "  late: {source: invoices, types: [paid, overdue], value: days_past_due}\n"
    "  buyer: {entity: payer, source: invoices, types: [paid], value: days_to_pay}\n"
    "features:\n";

constexpr std::string_view some_features =
    "  - {name: mean, aggregate: mean, of: paid, window: 30d}\n"
    "  - {name: max, aggregate: max, of: paid, window: 30d}\n"
    "  - {name: known, aggregate: count, of: paid, window: 30d}\n"
    "  - {name: all, aggregate: count, of: all_paid, window: 30d}\n"
    "  - {name: known_share, ratio: [known, all]}\n"
    "  - {name: late_mean, aggregate: mean, of: late, window: 30d}\n"
    "  - {name: late_max, aggregate: max, of: late, window: 30d}\n"
    "  - {name: buyer_mean, aggregate: mean, of: buyer, window: 60d}\n";

std::shared_ptr<const FeaturePlan> plan_of(const std::string& features) {
  return FeaturePlan::parse(std::string(measures) + features, "f.yaml");
}

class Invoices : public ::testing::Test {
 protected:
  std::size_t say(EventType type, const std::string& invoice, std::int64_t time_ms,
                  std::int64_t due_ms = no_time) {
    Line line;
    line.merchant = merchant_;
    line.type = type;
    line.invoice = invoice;
    line.payer = "b-1";
    line.time_ms = time_ms;
    line.due_ms = due_ms;
    return stream_.add(line);
  }
  std::size_t issue(const std::string& invoice, std::int64_t time_ms) {
    return say(EventType::issued, invoice, time_ms);
  }
  std::size_t pay(const std::string& invoice, std::int64_t time_ms) {
    return say(EventType::paid, invoice, time_ms);
  }
  float value(std::size_t row, std::string_view name, std::size_t batch = 3) const {
    MerchantTable table(plan_, small_options());
    const TableRun run = run_table(table, stream_.batch, {batch}, 1);
    return run.features.at(row)[static_cast<std::size_t>(plan_->column(name))];
  }

  const std::shared_ptr<const FeaturePlan> plan_ = plan_of(std::string(some_features));
  std::string merchant_ = "m-1";
  Stream stream_;
};

TEST_F(Invoices, DaysToPayAreThoseFromTheDayOfIssue) {
  issue("a", april_ms + 23 * hour_ms);
  issue("b", april_ms + 2 * day_ms);
  const std::size_t first = pay("a", april_ms + 10 * day_ms + hour_ms);  // 10 days, less hours
  const std::size_t second = pay("b", april_ms + 23 * day_ms);           // 21
  for (const std::size_t batch : {1U, 3U, 50U}) {
    EXPECT_EQ(value(first, "mean", batch), 10.0F);
    EXPECT_EQ(value(second, "mean", batch), 15.5F);
    EXPECT_EQ(value(second, "max", batch), 21.0F);
    EXPECT_EQ(value(second, "buyer_mean", batch), 15.5F);
  }
  const std::size_t later = issue("c", april_ms + 41 * day_ms);  // the first has left the window
  EXPECT_EQ(value(later, "mean"), 21.0F);
  EXPECT_EQ(value(later, "buyer_mean"), 15.5F);
}

TEST_F(Invoices, WhatIsPaidOrCancelledIsNoLongerOpen) {
  issue("a", april_ms);
  issue("b", april_ms);
  say(EventType::cancelled, "b", april_ms + day_ms);
  const std::size_t first = pay("a", april_ms + 4 * day_ms);
  const std::size_t again = pay("a", april_ms + 9 * day_ms);
  const std::size_t cancelled = pay("b", april_ms + 9 * day_ms);
  const std::size_t unknown = pay("c", april_ms + 9 * day_ms);
  EXPECT_EQ(value(first, "known_share"), 1.0F);
  for (const std::size_t row : {again, cancelled, unknown}) EXPECT_EQ(value(row, "mean"), 4.0F);
  EXPECT_EQ(value(unknown, "known"), 1.0F);
  EXPECT_EQ(value(unknown, "all"), 4.0F);
}

TEST_F(Invoices, OfOneThatIsIssuedAgainTheLastDayCounts) {
  issue("a", april_ms);
  issue("a", april_ms + 5 * day_ms);
  EXPECT_EQ(value(pay("a", april_ms + 6 * day_ms), "mean"), 1.0F);
  issue("b", april_ms + 20 * day_ms);
  const std::size_t before = pay("b", april_ms + 6 * day_ms);  // 0 and not less
  EXPECT_EQ(value(before, "mean"), 0.5F);
}

TEST_F(Invoices, MoreThanAreHeldAreOfUnknownAgeAndFlagged) {
  for (int i = 0; i < 3; ++i) issue("i" + std::to_string(i), april_ms + i * day_ms);
  pay("i1", april_ms + 4 * day_ms);  // makes room for one
  issue("i3", april_ms + 4 * day_ms);
  const auto forgot = [&] {
    MerchantTable table(plan_, small_options());
    run_table(table, stream_.batch, {4}, 1);
    return table.forgot_invoice(0);
  };
  EXPECT_FALSE(forgot());
  issue("i4", april_ms + 5 * day_ms);  // i0 gives way
  EXPECT_TRUE(forgot());
  const std::size_t gone = pay("i0", april_ms + 6 * day_ms);
  EXPECT_EQ(value(gone, "known"), 1.0F);
  EXPECT_EQ(value(gone, "known_share"), 0.5F);
  const std::size_t kept = pay("i2", april_ms + 6 * day_ms);
  EXPECT_EQ(value(kept, "mean"), 3.5F);  // 3 and 4
}

TEST_F(Invoices, NumbersOfOtherMerchantsAreOtherInvoices) {
  issue("a", april_ms);
  merchant_ = "m-2";
  issue("a", april_ms + 10 * day_ms);
  const std::size_t second = pay("a", april_ms + 12 * day_ms);
  EXPECT_EQ(value(second, "mean"), 2.0F);
  EXPECT_EQ(value(second, "buyer_mean"), 2.0F);
  merchant_ = "m-1";
  EXPECT_EQ(value(pay("a", april_ms + 12 * day_ms), "buyer_mean"), 7.0F);
}

TEST_F(Invoices, DaysPastDueAreThoseOfEventsThatNameTheDay) {
  const std::size_t early =
      say(EventType::paid, "a", april_ms + 2 * day_ms, april_ms + 9 * day_ms + hour_ms);
  const std::size_t overdue =
      say(EventType::overdue, "b", april_ms + 10 * day_ms, april_ms + 9 * day_ms + 5 * hour_ms);
  const std::size_t none = pay("c", april_ms + 10 * day_ms);
  const std::size_t late = say(EventType::paid, "b", april_ms + 14 * day_ms, april_ms + 9 * day_ms);
  EXPECT_EQ(value(early, "late_mean"), 0.0F);
  EXPECT_EQ(value(overdue, "late_mean"), 0.5F);
  EXPECT_EQ(value(none, "late_mean"), 0.5F);
  EXPECT_EQ(value(late, "late_mean"), 2.0F);
  EXPECT_EQ(value(late, "late_max"), 5.0F);
  EXPECT_TRUE(std::isnan(value(late, "mean")));
}

TEST_F(Invoices, AnotherCurrencyBeginsAnew) {
  issue("a", april_ms);
  Line profile;
  profile.type = EventType::profile;
  profile.time_ms = april_ms + day_ms;
  profile.profile_currency = "JPY";
  stream_.add(profile);
  Line paid;
  paid.type = EventType::paid;
  paid.invoice = "a";
  paid.currency = "JPY";
  paid.time_ms = april_ms + 2 * day_ms;
  EXPECT_EQ(value(stream_.add(paid), "known"), 0.0F);
}

TEST(InvoiceSpec, RefusesWhatHasNoMeaning) {
  const std::map<std::string, std::string> bad = {
      {"source: payments, types: [payment], value: days_to_pay", "events of payments have no"},
      {"source: invoices, value: days_to_pay", "type paid alone"},
      {"source: invoices, types: [paid, overdue], value: days_to_pay", "type paid alone"},
      {"source: invoices, types: [issued], value: days_past_due", "paid or overdue"},
      {"source: invoices, types: [paid], value: days", "none of amount, days_to_pay"},
      {"source: invoices, types: [paid], value: days_to_pay, open: 0", "open"},
      {"source: invoices, types: [paid], value: days_to_pay, open: 1025", "1024"},
      {"source: invoices, types: [paid], value: days_past_due, open: 3", "open"},
      {"source: invoices, types: [paid], value: amount, open: 3", "open"},
      {"source: invoices, types: [paid], value: days_past_due, where: {due: false}", "not due"},
  };
  const auto refusal_of = [](const std::string& spec) -> std::string {
    try {
      FeaturePlan::parse(spec, "f.yaml");
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  for (const auto& [measure, word] : bad) {
    EXPECT_THAT(refusal_of("spec: s\nmeasures:\n  m: {" + measure +
                           "}\nfeatures:\n  - {name: n, aggregate: count, of: m, window: 7d}\n"),
                testing::AllOf(testing::StartsWith("f.yaml:3:"), testing::HasSubstr(word)))
        << measure;
  }
  const std::map<std::string, std::string> bad_features = {
      {"aggregate: largest_share, of: paid, window: 7d", "those of amounts"},
      {"aggregate: herfindahl, of: late, window: 7d", "those of amounts"},
      {"aggregate: active, of: paid, window: 7d, value: amount", "days and no amounts"},
  };
  for (const auto& [feature, word] : bad_features) {
    EXPECT_THAT(refusal_of(std::string(measures) + "  - {name: c, " + feature + "}\n"),
                testing::AllOf(testing::StartsWith("f.yaml:8:"), testing::HasSubstr(word)))
        << feature;
  }
}

TEST(InvoiceSpec, FingerprintAndBytesHangOnTheOpenOnes) {
  const auto plan = [](const std::string& measure) {
    return FeaturePlan::parse(
        "spec: s\nmeasures:\n  m: {source: invoices, types: [paid], " + measure +
            "}\nfeatures:\n  - {name: n, aggregate: mean, of: m, window: 7d}\n",
        "f.yaml");
  };
  const auto base = plan("value: days_to_pay");
  EXPECT_EQ(plan("value: days_to_pay, open: 64")->fingerprint(), base->fingerprint());
  EXPECT_NE(plan("value: days_to_pay, open: 65")->fingerprint(), base->fingerprint());
  const auto due = plan("value: days_past_due");
  EXPECT_NE(due->fingerprint(), base->fingerprint());
  EXPECT_NE(plan("value: amount, where: {due: true}")->fingerprint(), due->fingerprint());
  EXPECT_EQ(base->table()[0].bytes_per_key - due->table()[0].bytes_per_key, 64U * 16);
  EXPECT_EQ(base->table()[0].formula, "mean(m.days_to_pay, 64 open)");
  EXPECT_EQ(due->table()[0].formula, "mean(m.days_past_due)");
  EXPECT_EQ(base->table()[0].label, "bucket(1 day)");
}

}  // namespace
}  // namespace tidemark::test
