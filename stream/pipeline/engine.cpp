// See engine.hpp. One function a stage, in the order of the flow.
#include "stream/pipeline/engine.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/base/civil_time.hpp"
#include "kernels/base/currency.hpp"
#include "kernels/forest/link.hpp"
#include "kernels/runtime/device_or_cpu.hpp"
#include "stream/pipeline/engine_scratch.hpp"

namespace tidemark {
namespace {

constexpr std::size_t encode_grain = 1024;  // rows of one OutputBatch
constexpr std::size_t groups_grain = 64;

SourceMerge::Cut next_cut(const Lane& lane, std::int64_t interval_ms) {
  if (interval_ms == 0) return {};
  return {lane.tick_ms ? *lane.tick_ms + interval_ms : INT64_MIN};
}

/// Writes the order of the rows down: what a replay needs to repeat it.
void record_order(Lane& lane, const EventBatch& rows) {
  JournalRecord& journal = lane.journal;
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    const Source source = rows.source[row];
    const std::int64_t next = rows.offset[row] + 1;
    JournalRange& range = journal.ranges[static_cast<std::size_t>(source)];
    if (!range.present) range = {rows.offset[row], next, true};
    range.next = next;
    if (journal.runs.empty() || journal.runs.back().source != source) {
      journal.runs.push_back({source, 0, 0});
    }
    ++journal.runs.back().count;
    journal.runs.back().next_offset = next;
    if (source == Source::control) {
      journal.controls.push_back({lane.journal_rows + row, rows.offset[row]});
    }
  }
  lane.journal_rows += rows.rows();
}

}  // namespace

Engine::Engine(const Config& config, const LoadedRelease& release, Backend backend,
               ThreadPool& pool)
    : config_(config),
      release_(release),
      pool_(pool),
      segmenter_(make_segmenter(backend)),
      scratch_(std::make_unique<Scratch>()) {
  scratch_->workers.resize(static_cast<std::size_t>(pool.threads()));
}

Engine::~Engine() = default;

MerchantTableOptions merchant_options(const Config& config) {
  return {config.merchants_max, config.dedup_events_max, config.dedup_horizon_ms, config.zone};
}

std::unique_ptr<Lane> make_lane(const Config& config,
                                const std::shared_ptr<const FeaturePlan>& plan, int partition,
                                std::uint32_t payers_max) {
  return std::make_unique<Lane>(partition, plan, merchant_options(config), payers_max,
                                std::chrono::milliseconds(config.merge_idle_ms),
                                config.dead_letters_of_last);
}

std::unique_ptr<Lane> Engine::make_lane(int partition) const {
  return tidemark::make_lane(config_, release_.plan, partition,
                             release_.payer_header ? 0 : config_.payers_max);
}

bool Engine::step(Lane& lane, MonotonicTime now, const EngineOutput& out) {
  SourceMerge::Cut cut = next_cut(lane, config_.sweep_interval_ms);
  if (const auto crossing = lane.merge.crossing(cut, now)) {
    pass_tick(lane, *crossing, out);
    cut = next_cut(lane, config_.sweep_interval_ms);
  }
  EventBatch& rows = scratch_->rows;
  rows.clear();
  if (lane.merge.take(rows, config_.batch_events_max, cut, now) == 0) return false;
  process(lane, rows, out);
  return true;
}

std::size_t Engine::step_recorded(Lane& lane, Source source, std::size_t count,
                                  const EngineOutput& out) {
  SourceMerge::Cut cut = next_cut(lane, config_.sweep_interval_ms);
  if (const auto crossing = lane.merge.crossing_recorded(source, cut)) {
    pass_tick(lane, *crossing, out);
    cut = next_cut(lane, config_.sweep_interval_ms);
  }
  EventBatch& rows = scratch_->rows;
  rows.clear();
  const std::size_t most = std::min(count, config_.batch_events_max);
  const std::size_t taken = lane.merge.take_recorded(rows, source, most, cut);
  if (taken > 0) process(lane, rows, out);
  return taken;
}

void Engine::process(Lane& lane, EventBatch& rows, const EngineOutput& out) {
  record_order(lane, rows);
  if (out.before) out.before(rows, release_.rates.get());
  if (rows.source[0] == Source::control) {
    control(lane, rows, out);
    return;
  }
  Scratch& s = *scratch_;
  lane.table.admit(rows, 0, rows.rows(), release_.rates.get());
  lane.adopt_new_merchants();
  account(lane, rows);

  s.matrix_row.assign(rows.rows(), UINT32_MAX);
  std::uint32_t scored = 0;
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    if (rows.outcome[row] == Outcome::scored) s.matrix_row[row] = scored++;
    if (rows.slot[row] != no_slot) lane.touch(rows.slot[row]);
  }
  segmenter_->run(rows.slot, lane.table.size(), s.segments);
  s.matrix.resize(scored, release_.plan->names().size());
  lane.table.apply(rows, s.segments, s.matrix_row, s.matrix, pool_);
  if (lane.payers) lane.payers->apply(rows, s.matrix_row, s.matrix, *segmenter_, pool_);
  if (release_.payer_header) read_payers(lane, rows);
  if (out.rows) out.rows(rows, s.matrix_row, s.matrix);
  score(scored, true);
  report_device();
  decide(lane, rows);
  if (out.records) encode(rows, *out.records);
}

void Engine::read_payers(Lane& lane, const EventBatch& rows) {
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    const std::uint32_t at = scratch_->matrix_row[row];
    if (at == UINT32_MAX) continue;
    const auto found = release_.payer_header->read(rows.headers[row], scratch_->matrix.row(at));
    if (rows.source[row] != Source::payments || rows.payer_hash[row] == 0) continue;
    PayerHeaderCounts& counts = lane.payer_headers;
    ++(found == PayerHeader::Found::features  ? counts.read
       : found == PayerHeader::Found::foreign ? counts.foreign
                                              : counts.missing);
  }
}

void Engine::account(Lane& lane, const EventBatch& rows) {
  JournalCounts& journal = lane.journal.counts;
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    OutcomeCounts& counts = lane.counts[static_cast<std::size_t>(rows.source[row])];
    ++counts.consumed;
    counts.add(rows.outcome[row]);
    lane.dead_letters.add(rows.outcome[row] == Outcome::dead_lettered);
    switch (rows.outcome[row]) {
      case Outcome::pending:
        break;
      case Outcome::scored:
        ++journal.scored;
        break;
      case Outcome::applied:
        ++journal.applied;
        break;
      case Outcome::dead_lettered:
        ++journal.dead_lettered;
        break;
      case Outcome::late:
        ++journal.late;
        break;
      case Outcome::duplicate:
        ++journal.duplicate;
        lane.journal.duplicates.push_back({rows.source[row], rows.offset[row]});
        break;
    }
  }
}

void Engine::score(std::size_t rows, bool fraud) {
  Scratch& s = *scratch_;
  s.fraud.assign(rows, 0.0);
  s.credit.assign(rows, 0.0);
  if (rows == 0 || !release_.policy) return;
  const FeatureMatrixView view = s.matrix.view();
  if (fraud) {
    release_.fraud->score(view, s.fraud, pool_);
    apply_link(release_.bundle.fraud, s.fraud);
  }
  if (release_.credit) {
    release_.credit->score(view, s.credit, pool_);
    apply_link(release_.bundle.credit, s.credit);
  }
}

void Engine::report_device() {
  if (device_reported_) return;
  const std::string words = device_failure();
  if (words.empty()) return;
  device_reported_ = true;
  spdlog::error("backend: the device has failed; the CPU goes on, with the same bits: {}", words);
}

void Engine::decide(Lane& lane, const EventBatch& rows) {
  Scratch& s = *scratch_;
  s.decisions.clear();
  s.decisions.verdicts.resize(s.matrix.rows());
  pool_.parallel_for(s.segments.groups(), groups_grain,
                     [&](std::size_t begin, std::size_t end, int worker) {
                       for (std::size_t g = begin; g < end; ++g) {
                         decide_group(lane, rows, g, worker);
                       }
                     });
  s.collect_rare_decisions();
}

void Engine::decide_group(Lane& lane, const EventBatch& rows, std::size_t group, int worker) {
  Scratch& s = *scratch_;
  for (std::uint32_t i = s.segments.begins[group]; i < s.segments.begins[group + 1]; ++i) {
    const std::uint32_t row = s.segments.order[i];
    const std::uint32_t slot = rows.slot[row];
    // A profile holds from its own row on, so that a batch's size cannot show in a limit.
    if (rows.source[row] == Source::merchants) lane.adopt_profile(slot, rows, row);
    DecisionState& state = lane.decisions[slot];
    state.clock_ms = std::max(state.clock_ms, rows.event_time_ms[row]);
    const std::uint32_t at = s.matrix_row[row];
    if (at == UINT32_MAX || !release_.policy) continue;
    VerdictDecision& verdict = s.decisions.verdicts[at];
    verdict.row = row;
    const auto features = std::as_const(s.matrix).row(at);
    release_.policy->verdict(features, s.fraud[at], verdict,
                             s.workers[static_cast<std::size_t>(worker)].policy);
    evaluate(lane, {slot, row, state.clock_ms, rows.event_time_ms[row], rows.currency[row]},
             features, s.credit[at], worker);
  }
}

bool Engine::evaluate(Lane& lane, const Evaluation& at, std::span<const float> features,
                      double credit, int worker) {
  const Policy& policy = *release_.policy;
  Scratch::Worker& mine = scratch_->workers[static_cast<std::size_t>(worker)];
  DecisionState& state = lane.decisions[at.slot];
  const DecisionState before = state;
  policy.enter_currency(at.currency, state);
  const std::int32_t day = lane.local_day(at.slot, at.clock_ms);
  if (policy.has_alerts()) {
    AlertDecision alert;
    if (policy.alert(features, week_of_day(day), at.event_time_ms, state, alert)) {
      alert.row = at.row;
      alert.slot = at.slot;
      mine.alerts.push_back(alert);
    }
  }
  // Without a currency there is no amount to speak of: no event with one has been accepted.
  if (policy.has_limits() && at.currency != 0) {
    const MerchantProfile& profile = lane.table.profile(at.slot);
    LimitInput input;
    input.row = features;
    input.credit_score = credit;
    input.industry = profile.industry;
    input.month = month_of_day(day) % 12 + 1;
    input.overlay_factor = lane.overlays.empty() ? 1 : lane.overlay_factor(profile);
    input.frozen = lane.frozen;
    input.currency = at.currency;
    input.currency_exponent = std::max(0, currency_exponent(at.currency));
    input.event_time_ms = at.event_time_ms;
    LimitDecision limit;
    if (policy.limit(input, state, limit, mine.policy)) {
      limit.row = at.row;
      limit.slot = at.slot;
      mine.limits.push_back(limit);
    }
  }
  return std::memcmp(&before, &state, sizeof state) != 0;
}

void Engine::encode(const EventBatch& rows, std::vector<OutputBatch>& out) {
  const std::size_t chunks = (rows.rows() + encode_grain - 1) / encode_grain;
  const std::size_t first = out.size();
  out.resize(first + chunks);
  const DecisionBatch& decisions = scratch_->decisions;
  pool_.parallel_for(chunks, 1, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t chunk = begin; chunk < end; ++chunk) {
      const std::size_t row_begin = chunk * encode_grain;
      const std::size_t row_end = std::min(rows.rows(), row_begin + encode_grain);
      const auto from = [&](const auto& rare) {
        return static_cast<std::size_t>(
            std::lower_bound(rare.begin(), rare.end(), row_begin,
                             [](const auto& d, std::size_t row) { return d.row < row; }) -
            rare.begin());
      };
      std::size_t limit = from(decisions.limits), alert = from(decisions.alerts);
      for (std::size_t row = row_begin; row < row_end; ++row) {
        encode_row(rows, row, limit, alert, out[first + chunk]);
      }
    }
  });
}

void Engine::encode_row(const EventBatch& rows, std::size_t row, std::size_t& limit,
                        std::size_t& alert, OutputBatch& out) const {
  switch (rows.outcome[row]) {
    case Outcome::dead_lettered:
      encode_dead_letter(rows, row, out);
      return;
    case Outcome::late:
      encode_late(rows, row, "event_time: older than the longest window at the merchant's clock",
                  out);
      return;
    case Outcome::scored:
      break;
    default:
      return;
  }
  if (!release_.policy) return;
  const DecisionBatch& decisions = scratch_->decisions;
  const DecisionEncoder& encoder = *release_.encoder;
  const DecisionContext at = DecisionEncoder::context(rows, row);
  encoder.verdict(at, decisions.verdicts[scratch_->matrix_row[row]], out);
  for (; limit < decisions.limits.size() && decisions.limits[limit].row == row; ++limit) {
    encoder.limit(at, decisions.limits[limit], out);
  }
  for (; alert < decisions.alerts.size() && decisions.alerts[alert].row == row; ++alert) {
    encoder.alert(at, decisions.alerts[alert], out);
  }
}

}  // namespace tidemark
