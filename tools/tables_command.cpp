// `tidemark tables`: the tables of peers and seasons of a feature spec, estimated from rows.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "features/plan.hpp"
#include "features/spec_tables.hpp"
#include "features/table_estimate.hpp"
#include "features/table_file.hpp"
#include "kernels/base/civil_time.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/base/output_file.hpp"
#include "kernels/base/read_file.hpp"
#include "stream/parse/parser.hpp"
#include "stream/rows/row_reader.hpp"
#include "stream/source/file_source.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"

namespace tidemark {
namespace {

struct Options {
  ConfigOptions config;
  std::string rows, merchants, currency, peers, seasons;
  std::vector<std::string> features;
  EstimateOptions estimate;
};

/// What a profile says, from its place in the order of all events on.
struct ProfileLine {
  std::int64_t merged_ms = 0;  // a file is merged at the largest time that it has had
  std::int64_t time_ms = 0;
  std::string industry, region;
  CurrencyCode currency = 0;
  const Zone* zone = nullptr;
};

/// A merchant as the rows go by.
struct Known {
  std::uint32_t number = 0;
  bool seen = false;
  std::int32_t day = INT32_MIN;       // of its clock
  std::vector<ProfileLine> profiles;  // in the file's order
  std::size_t past = 0;               // so many of them lie behind
};
using Merchants = std::map<std::string, Known, std::less<>>;

/// Lines of the profiles that are none are dead letters of a replay: no profile here either.
Merchants read_merchants(const Options& options, const Zone& default_zone) {
  Merchants merchants;
  std::int64_t merged_ms = INT64_MIN;
  Parser parser{ParseOptions{}};
  FileSource source(Source::merchants, options.merchants, 0);
  while (const auto raw = source.read(10'000)) {
    EventBatch batch;
    batch.grow(raw->records.size());
    parser.parse(*raw, 0, raw->records.size(), batch, 0);
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      if (batch.outcome[row] != Outcome::pending || batch.type[row] != EventType::profile) continue;
      const Profile& profile = batch.profiles[static_cast<std::size_t>(batch.profile_index[row])];
      const Zone* zone = profile.time_zone.empty() ? nullptr : find_zone(profile.time_zone);
      merged_ms = std::max(merged_ms, batch.event_time_ms[row]);
      merchants[std::string(batch.merchant_id[row])].profiles.push_back(
          {merged_ms, batch.event_time_ms[row], profile.industry, profile.region, profile.currency,
           zone != nullptr ? zone : &default_zone});
    }
  }
  return merchants;
}

/// The features to estimate, with their columns in the rows.
std::vector<std::size_t> columns_of(const Options& options, const std::vector<std::string>& names) {
  std::vector<std::size_t> columns;
  for (const std::string& name : options.features) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
      throw UsageError("--feature " + name + ": " + options.rows + " has no such column");
    }
    columns.push_back(static_cast<std::size_t>(found - names.begin()));
  }
  return columns;
}

std::vector<EstimatedFeature> features_of(const Options& options, const FeaturePlan& plan) {
  std::vector<EstimatedFeature> features;
  for (const std::string& name : options.features) {
    for (const Feature& feature : plan.spec().features) {
      if (feature.name != name || feature.hidden) continue;
      if (feature.entity == Entity::payer) throw UsageError("--feature " + name + ": is a payer's");
      features.push_back({name, feature.scale != 0});
    }
  }
  return features;
}

/// A group that a line of a table can name.
bool is_one_line(std::string_view text) {
  return text.find_first_of("\r\n") == std::string_view::npos;
}

std::int32_t local_day(const Zone& zone, std::int64_t time_ms) {
  return day_of_local_ms(time_ms + zone_offset_ms(zone.view(), time_ms));
}

/// Rows stand in the order in which their events were merged, and at one instant payments and
/// invoices come before profiles.
void add_rows(RowReader& rows, const std::vector<std::size_t>& columns, Merchants& merchants,
              const Zone& default_zone, CurrencyCode currency, TableEstimate& estimate) {
  std::uint32_t numbers = 0;
  std::int64_t merged_ms = INT64_MIN;
  std::vector<float> values(columns.size());
  const ProfileLine none{0, 0, "", "", 0, &default_zone};
  StoredRow row;
  while (rows.next(row)) {
    Known& merchant = merchants[row.merchant_id];
    if (!merchant.seen) merchant.number = numbers++;
    merchant.seen = true;
    merged_ms = std::max(merged_ms, row.event_time_ms);
    for (; merchant.past < merchant.profiles.size(); ++merchant.past) {
      const ProfileLine& next = merchant.profiles[merchant.past];
      if (next.merged_ms >= merged_ms) break;
      merchant.day = std::max(merchant.day, local_day(*next.zone, next.time_ms));
    }
    const ProfileLine& profile = merchant.past == 0 ? none : merchant.profiles[merchant.past - 1];
    merchant.day = std::max(merchant.day, local_day(*profile.zone, row.event_time_ms));
    for (std::size_t f = 0; f < columns.size(); ++f) values[f] = row.features[columns[f]];
    const bool named = is_one_line(profile.industry) && is_one_line(profile.region);
    estimate.add({merchant.number, merchant.day, named ? profile.industry : none.industry,
                  named ? profile.region : none.region,
                  profile.currency != 0 ? profile.currency : currency, values});
  }
}

std::string header_of(std::span<const std::string_view> columns) {
  return fmt::format("{}\n", fmt::join(columns, ","));
}

/// The file with the new lines behind those that it has, whole or not at all.
void write_table(const std::string& file, std::span<const std::string_view> columns,
                 const std::string& lines, std::int32_t as_of) {
  if (file.empty()) return;
  std::string text = header_of(columns);
  if (std::filesystem::exists(file)) {
    text = read_file(file, table_bytes_max);
    TableFile table(text, file, columns);
    while (table.next()) {
      if (table.day(0) >= as_of) {
        table.fail(0, "is not before " + day_text(as_of) + ", of which the new lines are");
      }
    }
    if (!text.ends_with('\n')) text += '\n';
  }
  const std::string part = file + ".part";
  OutputFile out(part);
  out.write(text + lines);
  out.close();
  std::filesystem::rename(part, file);
}

void run(const Options& options) {
  const Config config = options.config.load();
  const auto plan = FeaturePlan::load(config.features_spec);
  const Zone* zone = find_zone(config.zone);
  if (zone == nullptr) throw UsageError("time.zone: '" + config.zone + "' is no IANA name");
  const CurrencyCode currency = pack_currency(options.currency);
  if (!options.currency.empty() && currency_exponent(currency) == unknown_currency_exponent) {
    throw UsageError("--currency " + options.currency + ": is no currency of ISO 4217");
  }
  if (options.peers.empty() && options.seasons.empty()) {
    throw UsageError("give --peers FILE, --seasons FILE or both");
  }
  const RowsManifest manifest = read_rows_manifest(options.rows, plan->fingerprint());
  RowReader rows(options.rows, manifest);
  const std::vector<std::size_t> columns = columns_of(options, manifest.columns.features);
  Merchants merchants = read_merchants(options, *zone);
  TableEstimate estimate(features_of(options, *plan), options.estimate);
  add_rows(rows, columns, merchants, *zone, currency, estimate);
  if (estimate.last_day() == INT32_MIN) throw UsageError(options.rows + ": holds no row");
  const std::int32_t as_of = estimate.last_day() + 1;
  const std::string peers = estimate.peers(), seasons = estimate.seasons();
  write_table(options.peers, peer_columns, peers, as_of);
  write_table(options.seasons, season_columns, seasons, as_of);
  fmt::print(R"({{"as_of":"{}","peers":{},"seasons":{}}})"
             "\n",
             day_text(as_of), std::ranges::count(peers, '\n'), std::ranges::count(seasons, '\n'));
}

}  // namespace

void add_tables_command(CLI::App& app) {
  CLI::App* tables = app.add_subcommand("tables", "Tables of peers and seasons beside a spec");
  tables->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* estimate = tables->add_subcommand(
      "estimate", "Estimate tables from rows; new lines go behind those that a file has");
  options->config.add_to(*estimate);
  estimate
      ->add_option("--rows", options->rows,
                   ".csv or .npy of `replay --rows`, its manifest beside it")
      ->required();
  estimate
      ->add_option("--merchants", options->merchants,
                   "The profiles that were replayed: .jsonl, .gz or .zst")
      ->required();
  estimate->add_option("--feature", options->features, "A feature to estimate (repeatable)")
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  estimate->add_option("--peers", options->peers, "Write or continue this table of peers");
  estimate->add_option("--seasons", options->seasons, "Write or continue this table of seasons");
  estimate
      ->add_option("--days", options->estimate.days,
                   "Peers have a row in so many last days (default: 30)")
      ->check(CLI::Range(1, 100'000));
  estimate
      ->add_option("--merchants-min", options->estimate.merchants_min,
                   "Fewer peers make no line (default: 5)")
      ->check(CLI::Range(1, 1'000'000));
  estimate->add_option("--currency", options->currency,
                       "Of merchants whose profile names none (default: not among money's peers)");
  estimate->callback([options] { run(*options); });
}

}  // namespace tidemark
