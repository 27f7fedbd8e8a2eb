// `tidemark features`. Prints to stdout: a table for people or one JSON object for scripts. Reads
// the configuration and the spec, touches nothing else.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "features/merchant_table.hpp"
#include "features/payer_table.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"

namespace tidemark {
namespace {

struct Options {
  ConfigOptions config;
  bool json = false;
};

struct Cost {
  std::uint32_t merchants_max = 0;
  std::uint64_t dedup_events_max = 0;
  MemoryPlan memory;
  std::uint32_t payers_max = 0;
};

std::string_view name_of(Entity entity) {
  if (entity == Entity::event) return "";
  return entity == Entity::payer ? "payer" : "merchant";
}

std::string bytes_text(std::size_t bytes) {
  constexpr double mib = 1024.0 * 1024.0;
  const double size = static_cast<double>(bytes);
  if (size >= 1024.0 * mib) return fmt::format("{:.2f} GiB", size / (1024.0 * mib));
  return fmt::format("{:.1f} MiB", size / mib);
}

/// Names, formulas and labels come from a checked spec: no quotes, no control characters.
void print_json(const FeaturePlan& plan, const Cost& cost) {
  std::string out = "{\"features\":[";
  const char* comma = "";
  for (const FeatureInfo& info : plan.table()) {
    out += fmt::format(R"({}{{"name":"{}","formula":"{}","entity":"{}","window":"{}","label":"{}",)"
                       R"("bytes_per_key":{}}})",
                       comma, info.name, info.formula, name_of(info.entity), info.window,
                       info.label, info.bytes_per_key);
    comma = ",";
  }
  out += fmt::format(
      R"(],"fingerprint":"{}","bytes_per_merchant":{},"merchants_max":{},"dedup_events_max":{},)"
      R"("merchants_bytes":{},"dedup_bytes":{},"bytes_per_payer":{},"payers_max":{}}})",
      plan.fingerprint(), plan.bytes_per_merchant(), cost.merchants_max, cost.dedup_events_max,
      cost.memory.merchants_bytes, cost.memory.dedup_bytes, bytes_per_payer(plan), cost.payers_max);
  fmt::print("{}\n", out);
}

void print_table(const FeaturePlan& plan, const Cost& cost) {
  std::size_t name = 4, formula = 7, window = 6, label = 5;
  for (const FeatureInfo& info : plan.table()) {
    name = std::max(name, info.name.size());
    formula = std::max(formula, info.formula.size());
    window = std::max(window, info.window.size());
    label = std::max(label, info.label.size());
  }
  const auto line = [&](std::string_view a, std::string_view b, std::string_view c,
                        std::string_view d, std::string_view e, std::string_view f) {
    fmt::print("{:<{}}  {:<{}}  {:<8}  {:<{}}  {:<{}}  {:>5}\n", a, name, b, formula, c, d, window,
               e, label, f);
  };
  line("name", "formula", "entity", "window", "label", "bytes");
  for (const FeatureInfo& info : plan.table()) {
    line(info.name, info.formula, name_of(info.entity), info.window, info.label,
         info.bytes_per_key == 0 ? "" : std::to_string(info.bytes_per_key));
  }
  fmt::print(
      "\n{} features, fingerprint {}\n"
      "Windows are read at the clock of the merchant or payer, just after the event: the current "
      "bucket\n"
      "and those before it. Minutes and hours are UTC's; days, weeks (from Monday) and months the\n"
      "merchant's, of payers those of the configured zone.\n"
      "Bytes are those that the feature adds to the ones above it; hidden features are not "
      "listed.\n"
      "\nmemory, per partition\n"
      "  {} bytes per merchant x {} (capacity.merchants_max) = {}\n"
      "  event ids: {} (capacity.dedup_events_max) = {}, while they are cleaned up\n"
      "  both grow with use up to this\n",
      plan.table().size(), plan.fingerprint(), plan.bytes_per_merchant(), cost.merchants_max,
      bytes_text(cost.memory.merchants_bytes), cost.dedup_events_max,
      bytes_text(cost.memory.dedup_bytes));
  if (!plan.has_payers()) return;
  fmt::print("  {} bytes per payer x {} (capacity.payers_max) = {}\n", bytes_per_payer(plan),
             cost.payers_max, bytes_text(bytes_per_payer(plan) * cost.payers_max));
}

void run(const Options& options) {
  const Config config = options.config.load();
  const auto plan = FeaturePlan::load(config.features_spec);
  MerchantTableOptions table;
  table.merchants_max = config.merchants_max;
  table.dedup_events_max = config.dedup_events_max;
  const Cost cost{config.merchants_max, config.dedup_events_max, memory_plan(*plan, table),
                  config.payers_max};
  if (options.json) {
    print_json(*plan, cost);
  } else {
    print_table(*plan, cost);
  }
}

}  // namespace

void add_features_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("features", "Show the features of a configuration and their memory");
  options->config.add_to(*command);
  command->add_flag("--json", options->json, "One JSON object instead of a table");
  command->callback([options] { run(*options); });
}

}  // namespace tidemark
