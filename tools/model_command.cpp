// `tidemark model`: `show` says what a model file is, which kernel will score it, and how fast that
// is here; `check` scores the golden rows of a bundle.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/forest/forest_bench.hpp"
#include "features/plan.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/base/utf8.hpp"
#include "kernels/forest/forest_image.hpp"
#include "kernels/forest/scorer.hpp"
#include "models/load_forest.hpp"
#include "stream/encode/json_writer.hpp"
#include "stream/pipeline/loaded_release.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"

namespace tidemark {
namespace {

constexpr std::size_t rows_timed = 4096;
constexpr std::size_t features_listed = 10;
constexpr std::size_t name_bytes_max = 100;  // of a feature, as it is listed

struct Spread {
  double least = 0, mean = 0, most = 0;
};

template <class Values>
Spread spread_of(const Values& values) {
  Spread spread;
  if (values.empty()) return spread;
  double sum = 0;
  for (const double value : values) sum += value;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {*least, sum / static_cast<double>(values.size()), *most};
}

const char* name_of(Link link) {
  switch (link) {
    case Link::identity:
      return "identity";
    case Link::logistic:
      return "logistic";
    case Link::exponential:
      return "exponential";
    case Link::softmax:
      return "softmax";
    case Link::signed_square:
      return "signed square";
    case Link::softplus:
      return "softplus";
    case Link::step:
      return "step at 0";
  }
  return "";
}

struct ModelReport {
  Forest forest;
  Spread leaves, depth;
  std::size_t categorical = 0;
  std::vector<std::pair<std::string, std::size_t>> splits;  // by feature, most first, none is out
  std::size_t bytes = 0;
  ForestBenchResult rate;  // one row, and many
};

std::vector<std::int32_t> own_columns(const Forest& forest) {
  std::vector<std::int32_t> columns(forest.feature_names.size());
  for (std::size_t f = 0; f < columns.size(); ++f) columns[f] = static_cast<std::int32_t>(f);
  return columns;
}

ModelReport report_of(const std::string& file, Backend backend) {
  ModelReport report;
  report.forest = load_forest(file);
  const Forest& forest = report.forest;
  const std::vector<std::int32_t> columns = own_columns(forest);
  const ForestImage image = make_forest_image(forest, columns);
  std::vector<double> leaves, depths;
  for (const ForestTree& tree : forest.trees) leaves.push_back(tree.leaf_end - tree.leaf_begin);
  for (const ForestImageTree& tree : image.trees) depths.push_back(tree.depth);
  report.leaves = spread_of(leaves);
  report.depth = spread_of(depths);
  std::vector<std::size_t> counts(columns.size());
  for (const ForestNode& node : forest.nodes) {
    ++counts[static_cast<std::size_t>(node.feature)];
    report.categorical += node.categorical ? 1 : 0;
  }
  for (std::size_t f = 0; f < counts.size(); ++f) {
    if (counts[f] > 0) report.splits.emplace_back(forest.feature_names[f], counts[f]);
  }
  std::stable_sort(report.splits.begin(), report.splits.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  report.bytes = make_forest_scorer(forest, columns, backend)->bytes();
  if (forest.feature_names.empty()) return report;
  ForestBenchOptions options;
  options.model = file;
  options.backend = backend;
  options.batches = {1, rows_timed};
  options.seconds = 0.2;
  report.rate = bench_forest(options, rows_at_cuts(forest, rows_timed, 1).view());
  return report;
}

void print_report(const std::string& file, const ModelReport& report) {
  const Forest& forest = report.forest;
  const auto line = [](std::string_view name, const std::string& text) {
    fmt::print("{:<12}{}\n", name, text);
  };
  line("model", file);
  line("sha256", forest.sha256);
  line("format", forest.format);
  line("objective", fmt::format("{}; link {}", forest.objective.empty() ? "none" : forest.objective,
                                name_of(forest.link)));
  line("outputs", fmt::format("{}, leaves added in {}{}", forest.outputs,
                              forest.sum == SumKind::float64 ? "float64" : "float32",
                              forest.average_output ? ", averaged by the link" : ""));
  line("trees",
       fmt::format("{}; leaves {:.0f} to {:.0f}, mean {:.1f}; depth {:.0f} to {:.0f}, mean "
                   "{:.1f}",
                   forest.trees.size(), report.leaves.least, report.leaves.most, report.leaves.mean,
                   report.depth.least, report.depth.most, report.depth.mean));
  line("splits",
       fmt::format("{}, of them categorical {}", forest.nodes.size(), report.categorical));
  line("features",
       fmt::format("{}, of them used {}", forest.feature_names.size(), report.splits.size()));
  for (std::size_t i = 0; i < std::min(features_listed, report.splits.size()); ++i) {
    line("", fmt::format("{:>7} splits  {}", report.splits[i].second,
                         one_line(report.splits[i].first, name_bytes_max)));
  }
  line("memory", fmt::format("{:.1f} MiB compiled", static_cast<double>(report.bytes) / 1048576));
  if (report.rate.points.empty()) return;
  line("kernel", fmt::format("{} ({})", report.rate.kernel, report.rate.isa));
  if (!report.rate.why.empty()) line("", report.rate.why);
  line("load", fmt::format("{:.1f} ms", report.rate.load.ms()));
  line("rate",
       fmt::format("{:.0f} rows/s, one row in {:.1f} us: measured just now, one thread, rows "
                   "at the model's own cuts",
                   report.rate.points[1].rows_per_s, report.rate.points[0].call_us_median));
}

/// Names in a model file may hold anything that UTF-8 can.
std::string json_text(std::string_view text) {
  std::string out(2 + text.size() * escaped_bytes_max, '\0');
  JsonWriter writer(out.data());
  writer.quoted(text);
  out.resize(static_cast<std::size_t>(writer.at() - out.data()));
  return out;
}

void print_json(const std::string& file, const ModelReport& report) {
  const Forest& forest = report.forest;
  std::string features;
  for (const auto& [name, splits] : report.splits) {
    features += fmt::format("{}{}:{}", features.empty() ? "" : ",", json_text(name), splits);
  }
  fmt::print(
      "{{\"model\":{},\"sha256\":\"{}\",\"format\":{},\"objective\":{},\"link\":\"{}\","
      "\"outputs\":{},\"sum\":\"{}\",\"trees\":{},\"leaves\":{},\"leaves_max\":{:.0f},"
      "\"depth_max\":{:.0f},\"depth_mean\":{:.3f},\"splits\":{},\"categorical_splits\":{},"
      "\"features\":{},\"splits_by_feature\":{{{}}},\"bytes\":{},\"scorer\":{}}}\n",
      json_text(file), forest.sha256, json_text(forest.format), json_text(forest.objective),
      name_of(forest.link), forest.outputs, forest.sum == SumKind::float64 ? "float64" : "float32",
      forest.trees.size(), forest.leaf_values.size(), report.leaves.most, report.depth.most,
      report.depth.mean, forest.nodes.size(), report.categorical, forest.feature_names.size(),
      features, report.bytes, to_json(report.rate));
}

/// Loading a release compares the golden rows; what is left is to say so.
void check_bundle(const Config& config, bool json) {
  if (config.bundle.empty()) throw UsageError("bundle: none is configured, nothing to check");
  const Backend backend = resolve_backend(config.backend);
  const auto plan = FeaturePlan::load(config.features_spec);
  const auto release = load_release(config, plan, config.bundle, backend, Provenance::source_names);
  const Bundle& bundle = release->bundle;
  std::string models;
  for (const ModelEntry& entry : bundle.models) {
    const bool fraud = entry.role == "fraud";
    const GoldenRows& golden = fraud ? bundle.fraud_golden : bundle.credit_golden;
    const ForestScorer& scorer = fraud ? *release->fraud : *release->credit;
    if (json) {
      models += fmt::format(
          "{}{{\"role\":\"{}\",\"name\":{},\"golden_rows\":{},\"kernel\":{},"
          "\"isa\":{}}}",
          models.empty() ? "" : ",", entry.role, json_text(entry.name), golden.count(),
          json_text(scorer.kernel()), json_text(scorer.isa()));
      continue;
    }
    fmt::print("{}: {} {}: {}; {} ({})\n", entry.role, entry.name, entry.version,
               golden.count() == 0
                   ? std::string("the bundle has no golden rows")
                   : fmt::format("{} golden rows, all with the trainer's bits", golden.count()),
               scorer.kernel(), scorer.isa());
  }
  if (json) {
    fmt::print("{{\"release\":\"{}\",\"backend\":\"{}\",\"models\":[{}]}}\n",
               release->release.fingerprint, name_of(backend), models);
  }
}

void add_check(CLI::App& model) {
  struct Options {
    ConfigOptions config;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* check = model.add_subcommand(
      "check", "Loads the configured bundle and scores its golden rows, as every start does");
  options->config.add_to(*check);
  check->add_flag("--json", options->json, "Print one JSON object");
  check->callback([options] { check_bundle(options->config.load(), options->json); });
}

}  // namespace

void add_model_command(CLI::App& app) {
  struct Options {
    std::string file, backend = "auto";
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* model = app.add_subcommand(
      "model", "What a model is, and whether a bundle's models score right here");
  model->require_subcommand(1);
  add_check(*model);
  CLI::App* show = model->add_subcommand(
      "show", "Trees, features, objective; the kernel that will score it, and its rate here");
  show->add_option("file", options->file, "LightGBM text, XGBoost JSON or UBJSON")->required();
  show->add_option("--backend", options->backend, "auto, cpu or cuda")->capture_default_str();
  show->add_flag("--json", options->json, "Print one JSON object");
  show->callback([options] {
    const ModelReport report = report_of(options->file, resolve_backend(options->backend));
    if (options->json) {
      print_json(options->file, report);
    } else {
      print_report(options->file, report);
    }
  });
}

}  // namespace tidemark
