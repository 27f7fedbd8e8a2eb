// See report.hpp.
#include "stream/verify/report.hpp"

#include <fmt/format.h>

#include "stream/encode/json_writer.hpp"

namespace tidemark {
namespace {

std::string ranges_json(const PartitionReport& report) {
  std::string json;
  for (std::size_t s = 0; s < source_count; ++s) {
    const JournalRange& range = report.ranges[s];
    if (!range.present) continue;
    json += fmt::format(R"({}"{}":{{"first":{},"next":{}}})", json.empty() ? "" : ",",
                        name_of(static_cast<Source>(s)), range.first, range.next);
  }
  return json;
}

std::string violations_json(const Violations& violations) {
  std::string names, kept;
  for (std::size_t v = 0; v < violation_count; ++v) {
    const auto violation = static_cast<Violation>(v);
    if (violations.count(violation) == 0) continue;
    names += fmt::format(R"({}"{}":{})", names.empty() ? "" : ",", name_of(violation),
                         violations.count(violation));
  }
  for (const Violations::Named& one : violations.kept()) {
    kept += fmt::format(R"({}{{"name":"{}","text":{}}})", kept.empty() ? "" : ",",
                        name_of(one.violation), json_string(one.text));
  }
  return fmt::format(R"({{"count":{},"by_name":{{{}}},"first":[{}]}})", violations.count(), names,
                     kept);
}

std::string to_json(const PartitionReport& report) {
  return fmt::format(
      R"({{"partition":{},"transactions":{},"journal":{{"first":{},"last":{}}},)"
      R"("state_hash":"{:016x}","ranges":{{{}}},{},"limits":{},"alerts":{},"undecided":{},)"
      R"("repeated":{},"compared":{},"from_checkpoint":{},"violations":{}}})",
      report.partition, report.transactions, report.journal_first, report.journal_last,
      report.state_hash, ranges_json(report), counts_json(report.sources), report.limits,
      report.alerts, report.undecided, report.repeated, report.bytes_compared,
      report.replayed_from == 0 ? "null" : std::to_string(report.replayed_from),
      violations_json(report.violations));
}

}  // namespace

std::string_view name_of(Violation violation) {
  constexpr std::array<std::string_view, violation_count> names = {
      "journal_overlap", "journal_gap",    "journal_count", "no_outcome",    "several_outcomes",
      "surplus_output",  "foreign_output", "out_of_order",  "wrong_release", "limit_version",
      "letter_bytes",    "output_missing", "output_bytes",  "state_hash",    "journal_not_given"};
  return names[static_cast<std::size_t>(violation)];
}

ReportTotal total_of(const std::vector<PartitionReport>& reports) {
  ReportTotal total;
  for (const PartitionReport& report : reports) {
    total.records += report.records();
    total.transactions += report.transactions;
    total.compared += report.bytes_compared;
    total.violations += report.violations.count();
  }
  return total;
}

std::string to_json(const std::vector<PartitionReport>& reports) {
  const ReportTotal total = total_of(reports);
  std::string partitions;
  for (const PartitionReport& report : reports) {
    partitions += (partitions.empty() ? "" : ",") + to_json(report);
  }
  return fmt::format(
      R"({{"result":"{}","records":{},"transactions":{},"compared":{},"violations":{},)"
      R"("partitions":[{}]}})",
      total.violations > 0 ? "violated" : "proved", total.records, total.transactions,
      total.compared, total.violations, partitions);
}

}  // namespace tidemark
