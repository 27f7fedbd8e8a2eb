// Feature specs: what is refused, where the message points, what the fingerprint hangs on, and that
// the quickstart has every column that models and policies bind to by name.
#include <gmock/gmock.h>

#include "kernels/base/failure.hpp"
#include "tests/features/stream_builder.hpp"

namespace tidemark::test {
namespace {

constexpr std::string_view good = R"(spec: s
measures:
  payments: {source: payments, types: [payment], value: amount}
features:
  - {name: a, aggregate: sum, of: payments, window: 7d}
  - {name: b, aggregate: count, of: payments, window: 7d}
)";

std::string refusal_of(const std::string& text) {
  try {
    FeaturePlan::parse(text, "f.yaml");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

std::string with(const std::string& line) {
  return std::string(good) + line + "\n";
}

TEST(Spec, ErrorsNameFileLineAndColumn) {
  EXPECT_THAT(refusal_of(with("  - {name: c, agregate: sum, of: payments, window: 7d}")),
              testing::StartsWith("f.yaml:7:"));
  EXPECT_THAT(refusal_of(with("  - {name: c, aggregate: sum, of: payments, window: 7d, dely: 1d}")),
              testing::AllOf(testing::StartsWith("f.yaml:7:57"), testing::HasSubstr("dely")));
  EXPECT_THAT(refusal_of("spec: s\nfeatures: [\n"), testing::StartsWith("f.yaml:"));
}

TEST(Spec, RefusesWhatDoesNotFit) {
  const std::map<std::string, std::string> bad = {
      {"  - {name: c, aggregate: median, of: payments, window: 7d}", "median"},
      {"  - {name: c, aggregate: sum, of: nobody, window: 7d}", "nobody"},
      {"  - {name: c, aggregate: sum, of: payments, window: 7y}", "7y"},
      {"  - {name: c, aggregate: sum, of: payments, window: 0d}", "at least one"},
      {"  - {name: c, aggregate: sum, of: payments, window: 129d}", "128"},
      {"  - {name: c, aggregate: sum, of: payments, window: 90d, delay: 39d}", "129 buckets"},
      {"  - {name: c, aggregate: sum, of: payments, window: 7d, delay: 36h}", "whole number"},
      {"  - {name: c, aggregate: sum, of: payments, window: 2mo, delay: 1d}", "months"},
      {"  - {name: c, aggregate: sum, of: payments}", "window"},
      {"  - {name: c, aggregate: distinct, of: payments, window: 7d, bits: 100}", "power of two"},
      {"  - {name: c, aggregate: quantile, of: payments, window: 7d}", "below"},
      {"  - {name: c, aggregate: quantile, of: payments, window: 7d, below: 1}", "0 < below < 1"},
      {"  - {name: c, aggregate: herfindahl, of: payments, window: 7d, cells: 48}", "power of two"},
      {"  - {name: c, aggregate: decayed_sum, of: payments, window: 7d}", "half_life"},
      {"  - {name: c, aggregate: decayed_sum, of: payments, half_life: 2mo}", "months"},
      {"  - {name: c, aggregate: decayed_sum, of: payments, half_life: 200d}", "1 to 128"},
      {"  - {name: c, aggregate: streak, of: payments, window: 12w, from: many}", "from"},
      {"  - {name: c, aggregate: sum, of: payments, window: 7d, below: 0.5}", "below"},
      {"  - {name: a, event: amount}", "taken"},
      {"  - {name: C, event: amount}", "characters"},
      {"  - {name: c, event: colour}", "colour"},
      {"  - {name: c, event: type, types: [fraud]}", "fraud"},
      {"  - {name: c, event: amount, hidden: 7}", "true or false"},
      {"  - {name: c, ratio: [a, later]}", "later"},
      {"  - {name: c, ratio: [a]}", "two features"},
      {"  - {name: c, change: [a, b]}", "money"},
      {"  - {name: c, net: {add: [a], subtract: [b]}}", "mixes"},
      {"  - {name: c, net: {add: [a], plus: [a]}}", "plus"},
      {"  - {name: c, event: amount, aggregate: sum}", "exactly one"},
      {"  - {name: c, aggregate: since, of: payments, unit: weeks}", "h or d"},
      {"  - {name: c, event: amount, empty: zero}", "number"},
      {"  - {name: c, name: d, event: amount}", "twice"},
      {"  - just words", "mapping"},
      {"surprise: 1", "surprise"},
  };
  for (const auto& [line, word] : bad) {
    EXPECT_THAT(refusal_of(with(line)), testing::HasSubstr(word)) << line;
  }
  EXPECT_EQ(refusal_of(std::string(good)), "accepted");
}

TEST(Spec, RefusesRecordsThatNoMemoryHolds) {
  std::string many;
  for (int bits = 0; bits < 80; ++bits) {
    many += "  - {name: d" + std::to_string(bits) + ", aggregate: distinct, of: m" +
            std::to_string(bits) + ", window: 128d, bits: 65536}\n";
  }
  std::string text = "spec: s\nmeasures:\n";
  for (int m = 0; m < 80; ++m) {
    text += "  m" + std::to_string(m) +
            ": {source: payments, where: {amount_from: " + std::to_string(m + 1) + "}}\n";
  }
  EXPECT_THAT(
      refusal_of(text + "features:\n" + many),
      testing::ContainsRegex("f.yaml:[0-9]+:5: 'd[0-9]+': one merchant would take more than"));
}

TEST(Spec, RefusesBadMeasures) {
  const std::map<std::string, std::string> bad = {
      {"{source: orders}", "orders"},
      {"{source: payments, types: [issued]}", "issued"},
      {"{source: payments, entity: shop}", "none of merchant, payer"},
      {"{source: feedback, entity: payer}", "name no payer"},
      {"{source: signals, where: {amount_from: 5}}", "no amount"},
      {"{source: payments, where: {amount_from: 5, amount_below: 5}}", "no amount would pass"},
      {"{source: payments, where: {amount_from: -1}}", "above 0"},
      {"{source: payments, where: {amount_multiple_of: 0.00001}}", "4 decimals"},
      {"{source: payments, types: []}", "no type"},
      {"{source: signals, value: amount}", "no amount"},
      {"{source: payments, value: price}", "amount"},
      {"{source: payments, where: {rainy: true}}", "rainy"},
      {"{source: payments, where: {night: 3}}", "true or false"},
  };
  for (const auto& [measure, word] : bad) {
    EXPECT_THAT(refusal_of("spec: s\nmeasures:\n  m: " + measure +
                           "\nfeatures:\n  - {name: a, event: amount}\n"),
                testing::HasSubstr(word))
        << measure;
  }
}

TEST(Spec, FingerprintHangsOnBitsOnly) {
  const auto fingerprint = [](std::string text) {
    return FeaturePlan::parse(text, "f")->fingerprint();
  };
  const std::string base(good);
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string text = base;
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
    }
    return fingerprint(text);
  };
  EXPECT_EQ(fingerprint("# a comment\n" + base), fingerprint(base));
  EXPECT_EQ(changed("payments}", "payments }"), fingerprint(base));
  EXPECT_NE(changed("window: 7d", "window: 8d"), fingerprint(base));
  EXPECT_NE(changed("types: [payment]", "types: [refund]"), fingerprint(base));
  EXPECT_NE(changed("name: a", "name: z"), fingerprint(base));
  EXPECT_EQ(fingerprint(base).size(), 64U);
}

TEST(Spec, QuickstartHasTheColumnsThatOthersBindTo) {
  const auto plan = FeaturePlan::load(quickstart_spec());
  for (const char* name : {"amount",
                           "is_payment",
                           "is_refund",
                           "is_chargeback",
                           "is_payout",
                           "is_invoice",
                           "is_night",
                           "is_weekend",
                           "payment_count_1h",
                           "payment_count_24h",
                           "payment_count_7d",
                           "payment_count_30d",
                           "inflow_sum_1h",
                           "inflow_sum_24h",
                           "inflow_sum_7d",
                           "inflow_sum_30d",
                           "inflow_sum_12m",
                           "net_inflow_sum_12m",
                           "months_active_12m",
                           "payment_mean_30d",
                           "payment_cv_30d",
                           "payment_max_30d",
                           "amount_over_mean_30d",
                           "amount_over_max_30d",
                           "refund_count_7d",
                           "refund_ratio_30d",
                           "chargeback_count_30d",
                           "chargeback_ratio_30d",
                           "payout_sum_30d",
                           "retained_ratio_30d",
                           "night_share_30d",
                           "weekend_share_30d",
                           "distinct_payers_7d",
                           "inflow_sum_1w_ago1",
                           "inflow_sum_1w_ago2",
                           "inflow_sum_1w_ago3",
                           "inflow_change_1w",
                           "inflow_change_2w",
                           "inflow_sum_8w_before",
                           "invoice_issued_sum_30d",
                           "invoice_paid_sum_30d",
                           "invoice_overdue_count_30d",
                           "invoice_payment_ratio_30d",
                           "active_days_30d",
                           "hours_since_payment",
                           "days_of_history",
                           "fraud_count_30d",
                           "fraud_rate_30d",
                           "uncertified_share_30d",
                           "signal_count_30d"}) {
    EXPECT_GE(plan->column(name), 0) << name;
  }
  EXPECT_EQ(plan->column("refund_sum_30d"), -1);  // hidden
  EXPECT_LE(plan->bytes_per_merchant(), 6U * 1024);
}

TEST(Spec, LabelsSayHowExactAColumnIs) {
  const auto plan = FeaturePlan::load(quickstart_spec());
  const auto label = [&](std::string_view name) {
    return plan->table()[static_cast<std::size_t>(plan->column(name))].label;
  };
  EXPECT_EQ(label("amount"), "exact");
  EXPECT_EQ(label("payment_count_1h"), "bucket(1 minute)");
  EXPECT_EQ(label("amount_over_mean_30d"), "bucket(1 day)");
  EXPECT_EQ(label("inflow_sum_12m"), "bucket(1 month)");
  EXPECT_THAT(label("distinct_payers_7d"), testing::StartsWith("sketch("));
}

TEST(Spec, TenThousandFeaturesCompile) {
  std::string text(good);
  for (int i = 0; i < 10'000; ++i) {
    text += "  - {name: f" + std::to_string(i) +
            ", aggregate: sum, of: payments, window: " + std::to_string(i % 60 + 1) +
            "d, delay: " + std::to_string(i / 160) + "d}\n";
  }
  EXPECT_EQ(FeaturePlan::parse(text, "many")->names().size(), 10'002U);
}

}  // namespace
}  // namespace tidemark::test
