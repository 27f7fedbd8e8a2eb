// See windows_bench.hpp.
#include "bench/windows/windows_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <memory>

#include "bench/windows/made_events.hpp"
#include "features/merchant_table.hpp"
#include "features/oracle.hpp"
#include "features/payer_table.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/window/segment.hpp"

namespace tidemark {
namespace {

constexpr std::size_t checked_rows_max = 3'000, checked_batch_rows = 500;
constexpr std::pair<Spread, const char*> spreads[] = {
    {Spread::uniform, "uniform"}, {Spread::zipf, "Zipf 1.1"}, {Spread::hot, "one with 90%"}};

/// All tables of one order of events, and the memory between batches.
class Windows {
 public:
  Windows(std::shared_ptr<const FeaturePlan> plan, const WindowsBenchOptions& options)
      : plan_(std::move(plan)),
        pool_(options.threads),
        segmenter_(make_segmenter(Backend::cpu)),
        table_(plan_, table_options(options)) {
    if (plan_->has_payers())
      payers_ = std::make_unique<PayerTable>(plan_, PayerTableOptions{1'000'000, "UTC"});
  }

  static MerchantTableOptions table_options(const WindowsBenchOptions& options) {
    MerchantTableOptions table;
    table.merchants_max = options.merchants;
    table.dedup_events_max = 4 * options.events + 1'000'000;
    return table;
  }

  const FeatureMatrix& run(EventBatch& batch) {
    table_.admit(batch, 0, batch.rows());
    matrix_row_.assign(batch.rows(), UINT32_MAX);
    std::uint32_t scored = 0;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      if (batch.outcome[row] == Outcome::scored) matrix_row_[row] = scored++;
    }
    segmenter_->run(batch.slot, table_.size(), segments_);
    matrix_.resize(scored, plan_->names().size());
    table_.apply(batch, segments_, matrix_row_, matrix_, pool_);
    if (payers_) payers_->apply(batch, matrix_row_, matrix_, *segmenter_, pool_);
    return matrix_;
  }

 private:
  std::shared_ptr<const FeaturePlan> plan_;
  ThreadPool pool_;
  std::unique_ptr<Segmenter> segmenter_;
  MerchantTable table_;
  std::unique_ptr<PayerTable> payers_;
  Segments segments_;
  std::vector<std::uint32_t> matrix_row_;
  FeatureMatrix matrix_;
};

void check_rows(const std::shared_ptr<const FeaturePlan>& plan, Spread spread,
                WindowsBenchOptions options) {
  options.merchants = std::min(options.merchants, 200U);  // several events for each
  MadeEvents events(spread, options.merchants, 2 * options.events);
  Windows windows(plan, options);
  FeatureOracle oracle(plan, Windows::table_options(options));
  EventBatch batch, copy;
  const std::size_t checked_rows = std::min(checked_rows_max, options.events);
  for (std::size_t first = 0; first < checked_rows; first += checked_batch_rows) {
    events.fill(batch, checked_batch_rows);
    copy = batch;
    const FeatureMatrix& matrix = windows.run(batch);
    for (std::size_t row = 0; row < checked_batch_rows; ++row) {
      const auto truth = oracle.next(copy, row);
      if (truth.outcome != Outcome::scored || batch.outcome[row] != Outcome::scored) {
        throw RunError(fmt::format("event {}: not scored", first + row));
      }
      const auto mine = matrix.row(row);
      for (std::size_t c = 0; c < truth.features.size(); ++c) {
        if (std::bit_cast<std::uint32_t>(mine[c]) ==
            std::bit_cast<std::uint32_t>(truth.features[c])) {
          continue;
        }
        throw RunError(fmt::format("event {}: {} is {} and the oracle says {}", first + row,
                                   plan->names()[c], mine[c], truth.features[c]));
      }
    }
  }
}

/// Seconds for `options.events` events, after as many to warm up.
double time_run(const std::shared_ptr<const FeaturePlan>& plan, Spread spread,
                const WindowsBenchOptions& options) {
  MadeEvents events(spread, options.merchants, 2 * options.events);
  Windows windows(plan, options);
  EventBatch batch;
  double seconds = 0;
  for (std::size_t done = 0; done < 2 * options.events; done += options.batch) {
    events.fill(batch, options.batch);
    const auto start = std::chrono::steady_clock::now();
    windows.run(batch);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (done >= options.events) seconds += took.count();
  }
  return seconds;
}

}  // namespace

WindowsBenchResult bench_windows(const WindowsBenchOptions& options) {
  const auto plan = FeaturePlan::load(options.spec);
  for (const auto& [spread, name] : spreads) check_rows(plan, spread, options);
  std::vector<std::vector<double>> seconds(std::size(spreads));
  for (int run = 0; run < options.runs; ++run) {
    for (std::size_t s = 0; s < std::size(spreads); ++s) {
      seconds[s].push_back(time_run(plan, spreads[s].first, options));
    }
  }
  WindowsBenchResult result{plan->names().size(), plan->bytes_per_merchant(), options.threads, {}};
  const auto timed =
      static_cast<double>((options.events + options.batch - 1) / options.batch * options.batch);
  for (std::size_t s = 0; s < std::size(spreads); ++s) {
    std::sort(seconds[s].begin(), seconds[s].end());
    const double median = seconds[s][seconds[s].size() / 2];
    const double ns = 1e9 * median / timed;
    const double uniform = s == 0 ? ns : result.loads[0].ns_per_event;
    result.loads.push_back({spreads[s].second, timed / median, ns, ns / uniform});
  }
  return result;
}

std::string to_table(const WindowsBenchResult& result) {
  std::string text =
      fmt::format("{} features, {} bytes per merchant, {} threads\n{:<14}{:>14}{:>12}{:>14}\n",
                  result.features, result.bytes_per_merchant, result.threads, "events fall",
                  "events/s", "ns/event", "x uniform");
  for (const WindowsBenchLoad& load : result.loads) {
    text += fmt::format("{:<14}{:>14.0f}{:>12.1f}{:>14.2f}\n", load.name, load.events_per_s,
                        load.ns_per_event, load.over_uniform);
  }
  return text;
}

std::string to_json(const WindowsBenchResult& result) {
  std::string text =
      fmt::format(R"({{"features":{},"bytes_per_merchant":{},"threads":{},"loads":[)",
                  result.features, result.bytes_per_merchant, result.threads);
  const char* comma = "";
  for (const WindowsBenchLoad& load : result.loads) {
    text += fmt::format(
        R"({}{{"name":"{}","events_per_s":{:.0f},"ns_per_event":{:.2f},"over_uniform":{:.3f}}})",
        comma, load.name, load.events_per_s, load.ns_per_event, load.over_uniform);
    comma = ",";
  }
  return text + "]}";
}

}  // namespace tidemark
