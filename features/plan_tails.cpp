// The last events of measures, compiled: which are kept, where they lie in the record, what fills
// and reads them. Part of PlanBuilder.
#include <algorithm>

#include "features/plan_builder.hpp"

namespace tidemark {
namespace {

std::uint32_t entry_bytes(bool is_judged) {
  return is_judged ? sizeof(JudgedPayment) : sizeof(std::int64_t);
}

ReadKind tail_read_of(FeatureKind kind) {
  switch (kind) {
    case FeatureKind::sum:
      return ReadKind::tail_sum;
    case FeatureKind::mean:
      return ReadKind::tail_mean;
    case FeatureKind::min:
      return ReadKind::tail_least;
    case FeatureKind::max:
      return ReadKind::tail_greatest;
    case FeatureKind::stddev:
      return ReadKind::tail_deviation;
    case FeatureKind::cv:
      return ReadKind::tail_variation;
    default:
      return ReadKind::fraud_share;
  }
}

}  // namespace

int PlanBuilder::want_tail(const Feature& feature, FeatureInfo& info) {
  const bool is_judged = feature.kind == FeatureKind::fraud_share;
  const TailPlan wanted{canonical_measure(feature.measure), is_judged, 0};
  const auto [found, is_new] = tail_index_.emplace(wanted.key(), tails_.size());
  if (is_new) {
    tails_.push_back(wanted);
    info.bytes_per_key += sizeof(TailState);
  }
  TailPlan& kept = tails_[found->second];
  const int length = is_judged ? feature.among : feature.last;
  info.bytes_per_key +=
      static_cast<std::size_t>(std::max(0, length - kept.length)) * entry_bytes(is_judged);
  kept.length = std::max(kept.length, length);
  return static_cast<int>(found->second);
}

std::uint32_t PlanBuilder::lay_out_tail_states(std::uint32_t at) {
  for (const TailPlan& tail : tails_) {
    plan_.tails.push_back({at, 0, static_cast<std::uint32_t>(tail.length)});
    at += sizeof(TailState);
  }
  return at;
}

std::uint32_t PlanBuilder::lay_out_tail_entries(std::uint32_t at) {
  for (std::size_t t = 0; t < tails_.size(); ++t) {
    plan_.tails[t].entry_offset = at;
    at += plan_.tails[t].length * entry_bytes(tails_[t].is_judged);
  }
  return at;
}

void PlanBuilder::list_tail_steps(EventType type, TypeUpdates& updates) {
  std::vector<TailStep>& steps = plan_.tail_steps;
  updates.tail_begin = static_cast<std::uint32_t>(steps.size());
  for (std::uint32_t t = 0; t < tails_.size(); ++t) {
    const bool is_judged = tails_[t].is_judged;
    const Measure& measure = spec_.measures[static_cast<std::size_t>(tails_[t].measure)];
    if ((measure.types >> static_cast<unsigned>(type) & 1U) != 0) {
      steps.push_back({filter_of(measure),
                       is_judged ? TailAction::add_payment : TailAction::add_value, measure.value,
                       t});
    }
    if (!is_judged) continue;
    if (type == EventType::fraud) steps.push_back({{}, TailAction::judge_fraud, {}, t});
    if (type == EventType::legitimate) steps.push_back({{}, TailAction::judge_legitimate, {}, t});
  }
  updates.tail_end = static_cast<std::uint32_t>(steps.size());
}

ReadStep PlanBuilder::read_of_tail(std::size_t index) {
  const Feature& feature = spec_.features[index];
  ReadStep step;
  step.kind = tail_read_of(feature.kind);
  step.target = static_cast<std::uint32_t>(index);
  step.a = static_cast<std::uint32_t>(needs_[index].tail);
  step.b = static_cast<std::uint32_t>(feature.last);
  if (feature.kind == FeatureKind::fraud_share) {
    step.b = static_cast<std::uint32_t>(feature.among);
    step.c = static_cast<std::uint32_t>(plan_.matured_scans.size());
    plan_.matured_scans.push_back({feature.matures_ms, static_cast<std::uint32_t>(feature.last)});
  }
  return step;
}

}  // namespace tidemark
