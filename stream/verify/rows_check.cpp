// See rows_check.hpp.
#include "stream/verify/rows_check.hpp"

#include <fmt/format.h>

#include <bit>
#include <memory>
#include <set>

#include "features/oracle.hpp"
#include "kernels/base/failure.hpp"
#include "stream/encode/json_writer.hpp"
#include "stream/parse/hash.hpp"
#include "stream/pipeline/engine.hpp"
#include "stream/rows/row_reader.hpp"

namespace tidemark {
namespace {

constexpr std::size_t kept_max = 20;

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (a != a && b != b);
}

/// The truth, row by row as the stream goes, set aside until its labels are known.
class Truth {
 public:
  Truth(const Config& config, std::shared_ptr<const FeaturePlan> plan, RowsManifest manifest,
        const std::filesystem::path& spool, RowsSample sample)
      : config_(config),
        plan_(std::move(plan)),
        manifest_(std::move(manifest)),
        sample_(sample),
        spool_(spool, manifest_.columns.features.size()) {}

  bool takes(std::uint64_t merchant_hash) const {
    return manifest_.sample.takes(merchant_hash) &&
           sample_.takes(merchant_hash / manifest_.sample.of);
  }

  void take(const EventBatch& events, const RateTable* rates) {
    if (events.source[0] == Source::control) return;
    // Partitions share neither merchants nor payers.
    auto& oracle = oracles_[events.partition[0]];
    if (!oracle) oracle = std::make_unique<FeatureOracle>(plan_, merchant_options(config_));
    for (std::size_t row = 0; row < events.rows(); ++row) {
      const std::uint64_t merchant = events.merchant_hash[row];
      const FeatureOracle::Row truth = oracle->next(events, row, rates, takes(merchant));
      feedback_.note(events, row, truth.outcome);
      if (truth.outcome != Outcome::scored || !takes(merchant)) continue;
      spool_.add(
          {events.event_id[row], events.merchant_id[row], events.event_time_ms[row]},
          {merchant, events.event_id_hash[row], events.event_time_ms[row], events.partition[row]},
          truth.features);
    }
  }

  void compare(RowReader& rows, RowsReport& report) {
    feedback_.sort();
    StoredRow stored;
    std::set<std::string, std::less<>> merchants;
    const auto next = [&] {
      while (rows.next(stored)) {
        ++report.rows;
        if (takes(hash_id(stored.merchant_id))) return true;
      }
      return false;
    };
    spool_.read_back(
        [&](const RowKey& key, const LabelledRow& row, std::span<const float> features) {
          ++report.compared;
          merchants.emplace(key.merchant_id);
          if (report.wrong_by_column.contains(of_keys)) return;  // nothing fits behind it
          if (!next()) {
            note(report, of_keys,
                 fmt::format("event {} of merchant {} has no row", key.event_id, key.merchant_id));
            return;
          }
          if (stored.event_id != key.event_id || stored.merchant_id != key.merchant_id ||
              stored.event_time_ms != key.event_time_ms) {
            note(report, of_keys,
                 fmt::format("{}: event {} of merchant {} where {} of {} is due", rows.place(),
                             stored.event_id, stored.merchant_id, key.event_id, key.merchant_id));
            return;
          }
          std::vector<float> labels;
          for (const LabelRule& rule : manifest_.labels)
            labels.push_back(feedback_.label(rule, row));
          compare_values(rows, report, manifest_.columns.features, stored.features, features);
          compare_values(rows, report, manifest_.columns.labels, stored.labels, labels);
        });
    if (!report.wrong_by_column.contains(of_keys) && next()) {
      note(report, of_keys,
           fmt::format("{}: a row too many: event {} of merchant {}", rows.place(), stored.event_id,
                       stored.merchant_id));
    }
    while (rows.next(stored)) ++report.rows;
    report.merchants = merchants.size();
  }

 private:
  static constexpr const char* of_keys = "row";

  static void note(RowsReport& report, const std::string& column, const std::string& what) {
    ++report.wrong;
    ++report.wrong_by_column[column];
    if (report.kept.size() < kept_max) report.kept.push_back(what);
  }

  static void compare_values(const RowReader& rows, RowsReport& report,
                             const std::vector<std::string>& names,
                             const std::vector<float>& stored, std::span<const float> truth) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      ++report.values;
      if (same_bits(stored[i], truth[i])) continue;
      note(report, names[i],
           fmt::format("{}: {} is {} and {} by its history", rows.place(), names[i], stored[i],
                       truth[i]));
    }
  }

  const Config& config_;
  std::shared_ptr<const FeaturePlan> plan_;
  RowsManifest manifest_;
  RowsSample sample_;
  RowSpool spool_;
  std::map<std::int32_t, std::unique_ptr<FeatureOracle>> oracles_;
  Feedback feedback_;
};

}  // namespace

std::string to_json(const RowsReport& report) {
  std::string columns, kept;
  for (const auto& [column, count] : report.wrong_by_column) {
    columns += fmt::format("{}{}:{}", columns.empty() ? "" : ",", json_string(column), count);
  }
  for (const std::string& what : report.kept) {
    kept += fmt::format("{}{}", kept.empty() ? "" : ",", json_string(what));
  }
  return fmt::format(
      R"({{"result":"{}","rows":{},"compared":{},"merchants":{},"values":{},"wrong":{},)"
      R"("wrong_by_column":{{{}}},"first":[{}]}})",
      report.wrong == 0 ? "proved" : "violated", report.rows, report.compared, report.merchants,
      report.values, report.wrong, columns, kept);
}

RowsReport verify_rows(const Config& config, const std::filesystem::path& rows,
                       ReplayOptions inputs, RowsSample sample) {
  const auto plan = FeaturePlan::load(config.features_spec);
  if (inputs.kafka && plan->has_payers()) {
    throw UsageError(fmt::format(
        "{}: has features of payers, whose history lies in another topic than the merchants': "
        "verify rows with the files that they were made of (--input)",
        config.features_spec.string()));
  }
  const RowsManifest manifest = read_rows_manifest(rows, plan->fingerprint());
  RowReader reader(rows, manifest);
  RowsReport report;
  Truth truth(config, plan, manifest, rows.string() + ".truth", sample);
  inputs.out.clear();
  inputs.rows.reset();
  inputs.watch = [&truth](const EventBatch& events, const RateTable* rates) {
    truth.take(events, rates);
  };
  replay(config, inputs);
  truth.compare(reader, report);
  if (report.rows != manifest.rows) {
    throw UsageError(fmt::format("{}: {} rows, the manifest says {}", rows.string(), report.rows,
                                 manifest.rows));
  }
  return report;
}

}  // namespace tidemark
