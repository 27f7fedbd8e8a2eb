// See windows_bench.hpp.
#include "bench/windows/windows_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <memory>
#include <random>

#include "features/merchant_table.hpp"
#include "features/oracle.hpp"
#include "features/payer_table.hpp"
#include "kernels/base/currency.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/window/segment.hpp"

namespace tidemark {
namespace {

constexpr std::size_t checked_rows = 3'000;
constexpr std::int64_t start_ms = 1'700'000'000'000;

enum class Spread { uniform, zipf, hot };
constexpr std::pair<Spread, const char*> spreads[] = {
    {Spread::uniform, "uniform"}, {Spread::zipf, "Zipf 1.1"}, {Spread::hot, "one with 90%"}};

std::uint64_t spread_bits(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

/// Draws merchants: by the inverse of the cumulated weights.
class Draw {
 public:
  Draw(Spread spread, std::uint32_t merchants) : spread_(spread), merchants_(merchants) {
    double all = 0;
    for (std::uint32_t m = 0; spread == Spread::zipf && m < merchants; ++m) {
      cumulated_.push_back(all += std::pow(m + 1.0, -1.1));
    }
  }
  std::uint32_t operator()(std::mt19937_64& random) const {
    if (spread_ == Spread::hot && random() % 10 != 0) return 0;
    if (spread_ != Spread::zipf) return static_cast<std::uint32_t>(random() % merchants_);
    const double at = static_cast<double>(random() >> 11) * 0x1p-53 * cumulated_.back();
    const auto found = std::upper_bound(cumulated_.begin(), cumulated_.end(), at);
    return static_cast<std::uint32_t>(
        std::min<std::ptrdiff_t>(found - cumulated_.begin(), merchants_ - 1));
  }

 private:
  Spread spread_;
  std::uint32_t merchants_;
  std::vector<double> cumulated_;
};

/// Mostly payments, a refund now and then; 90 days for all events of a run, so that days, weeks and
/// months pass.
class Events {
 public:
  Events(Spread spread, const WindowsBenchOptions& options)
      : draw_(spread, options.merchants),
        step_ms_(std::max<std::int64_t>(
            1, 90LL * 86'400'000 / static_cast<std::int64_t>(2 * options.events))) {
    for (std::uint32_t m = 0; m < options.merchants; ++m) ids_.push_back("m-" + std::to_string(m));
  }

  void fill(EventBatch& batch, std::size_t count) {
    static const CurrencyCode currency = pack_currency("EUR");
    batch.clear();
    batch.grow(count);
    event_ids_.resize(count);
    for (std::size_t row = 0; row < count; ++row, ++made_) {
      const std::uint32_t merchant = draw_(random_);
      batch.merchant_id[row] = ids_[merchant];
      batch.merchant_hash[row] = spread_bits(merchant + 1);
      event_ids_[row] = std::to_string(made_);
      batch.event_id[row] = event_ids_[row];
      batch.event_id_hash[row] = spread_bits(made_ + (std::uint64_t{1} << 40));
      const bool refund = random_() % 40 == 0;
      batch.type[row] = refund ? EventType::refund : EventType::payment;
      batch.flags[row] = flag_certified | flag_time_readable;
      batch.event_time_ms[row] = start_ms + static_cast<std::int64_t>(made_) * step_ms_;
      batch.amount_minor[row] = static_cast<std::int64_t>(100 + random_() % 20'000);
      batch.currency[row] = currency;
      batch.payer_hash[row] = spread_bits(random_() % 500'000 + 7);
    }
  }

 private:
  Draw draw_;
  std::int64_t step_ms_;
  std::mt19937_64 random_{20181001};
  std::vector<std::string> ids_, event_ids_;  // views of the batch point into them
  std::uint64_t made_ = 0;
};

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
  Events events(spread, options);
  Windows windows(plan, options);
  FeatureOracle oracle(plan, Windows::table_options(options));
  EventBatch batch, copy;
  for (std::size_t first = 0; first < checked_rows; first += 500) {
    events.fill(batch, 500);
    copy = batch;
    const FeatureMatrix& matrix = windows.run(batch);
    for (std::size_t row = 0; row < 500; ++row) {
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
  Events events(spread, options);
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
