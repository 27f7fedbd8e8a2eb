// The second half of compiling: the steps that move totals with the clock, fill them from an event
// and read them into a row; then the fingerprint of it all.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "features/plan_builder.hpp"
#include "kernels/base/exp_log.hpp"
#include "kernels/base/sha256.hpp"

namespace tidemark {
namespace {

bool needs_recompute(Accumulator kind) {
  return kind == Accumulator::greatest || kind == Accumulator::least || has_sketch(kind);
}

// Everything of a feature that changes bits, in words: names of columns, not of measures.
std::string canonical_text(const FeatureSpec& spec, const Feature& feature) {
  std::string text = fmt::format(
      "{} {} {} {:08x} {} {} {} {} {} {} {} {}", feature.hidden, feature.hidden ? "" : feature.name,
      static_cast<int>(feature.kind), std::bit_cast<std::uint32_t>(feature.empty),
      static_cast<int>(feature.tier), feature.length, feature.delay, feature.sketch_bits,
      feature.types, feature.bit, feature.unit_ms, feature.of_amount);
  if (feature.measure >= 0) {
    const Measure& measure = spec.measures[static_cast<std::size_t>(feature.measure)];
    text += fmt::format(" of {:x} {} {}", measure.types, measure.need_mask, measure.need_bits);
    const AmountTest& amount = measure.amount;
    if (amount != AmountTest{}) {
      text += fmt::format(" {} {} {}", amount.least_e4, amount.below_e4, amount.multiple_e4);
    }
    if (measure.value == EventValue::days_to_pay) text += " days to pay";
    if (measure.value == EventValue::days_past_due) text += " days past due";
  }
  if (feature.entity == Entity::payer) text += " payer";
  if (is_of_last(feature)) {
    text += fmt::format(" last {} {} {}", feature.last, feature.among, feature.matures_ms);
  }
  if (feature.exact_few) text += " exact few";
  if (feature.cells > 0) text += fmt::format(" in {} {}", feature.cells, feature.below);
  if (feature.mark != 1) text += fmt::format(" from {}", feature.mark);
  if (is_tabled(feature)) text += fmt::format(" table of {}", feature.of);
  for (const int index : feature.add) text += fmt::format(" +{}", index);
  for (const int index : feature.subtract) text += fmt::format(" -{}", index);
  return text + "\n";
}

}  // namespace

void PlanBuilder::list_groups() {
  WindowPlan& plan = plan_;
  for (std::uint32_t r = 0; r < plan.rings.size(); ++r) {
    std::set<std::pair<int, int>> spans;
    for (const Total& total : totals_) {
      if (stores_[total.store].ring == r) spans.emplace(total.age_begin, total.age_end);
    }
    plan.rings[r].group_begin = static_cast<std::uint32_t>(plan.groups.size());
    for (const auto& [begin, end] : spans) {
      WindowGroup group;
      group.age_begin = static_cast<std::int16_t>(begin);
      group.age_end = static_cast<std::int16_t>(end);
      group.step_begin = static_cast<std::uint32_t>(plan.shifts.size());
      for (const Total& total : totals_) {
        const Store& store = stores_[total.store];
        if (store.ring != r || total.age_begin != begin || total.age_end != end) continue;
        plan.shifts.push_back({store.kind, total.active, static_cast<std::uint16_t>(store.cells),
                               store.bucket_offset, total.offset});
        group.recompute = group.recompute || needs_recompute(store.kind);
      }
      group.step_end = static_cast<std::uint32_t>(plan.shifts.size());
      plan.groups.push_back(group);
    }
    plan.rings[r].group_end = static_cast<std::uint32_t>(plan.groups.size());
  }
}

EventFilter PlanBuilder::filter_of(const Measure& measure) {
  EventFilter filter{measure.need_mask, measure.need_bits, 0};
  if (measure.amount == AmountTest{}) return filter;
  std::vector<AmountTest>& tests = plan_.amount_tests;
  auto found = std::find(tests.begin(), tests.end(), measure.amount);
  if (found == tests.end()) found = tests.insert(tests.end(), measure.amount);
  filter.amount_test = static_cast<std::uint16_t>(found - tests.begin() + 1);
  return filter;
}

// The steps of one event type in one ring.
void PlanBuilder::list_update_steps(EventType type, std::uint32_t ring) {
  for (std::size_t s = 0; s < stores_.size(); ++s) {
    const Store& store = stores_[s];
    const Measure& measure = spec_.measures[static_cast<std::size_t>(store.measure)];
    if (store.ring != ring || (measure.types >> static_cast<unsigned>(type) & 1U) == 0) continue;
    UpdateStep step;
    step.filter = filter_of(measure);
    step.kind = store.kind;
    step.value = measure.value;
    if (has_sketch(store.kind) || store.kind == Accumulator::payer_sums) {
      // An absent payer is no payer.
      if ((step.filter.need_mask & ~step.filter.need_bits & event_bit_payer) != 0) continue;
      step.filter.need_mask |= event_bit_payer;
      step.filter.need_bits |= event_bit_payer;
    }
    step.cells = static_cast<std::uint16_t>(store.cells);
    step.bucket_offset = store.bucket_offset;
    step.member_begin = static_cast<std::uint32_t>(plan_.members.size());
    for (const Total& total : totals_) {
      if (total.store != s) continue;
      plan_.members.push_back({static_cast<std::int16_t>(total.age_begin),
                               static_cast<std::int16_t>(total.age_end), total.offset,
                               total.active});
    }
    step.member_end = static_cast<std::uint32_t>(plan_.members.size());
    plan_.updates.push_back(step);
  }
}

void PlanBuilder::list_type(EventType type) {
  WindowPlan& plan = plan_;
  const auto takes = [&](int m) {
    const Measure& measure = spec_.measures[static_cast<std::size_t>(m)];
    return (measure.types >> static_cast<unsigned>(type) & 1U) != 0;
  };
  TypeUpdates updates;
  updates.ring_begin = static_cast<std::uint32_t>(plan.ring_updates.size());
  for (std::uint32_t r = 0; r < plan.rings.size(); ++r) {
    RingUpdate update;
    update.ring = r;
    update.step_begin = static_cast<std::uint32_t>(plan.updates.size());
    list_update_steps(type, r);
    update.step_end = static_cast<std::uint32_t>(plan.updates.size());
    if (update.step_end != update.step_begin) plan.ring_updates.push_back(update);
  }
  updates.ring_end = static_cast<std::uint32_t>(plan.ring_updates.size());
  updates.last_begin = static_cast<std::uint32_t>(plan.lasts.size());
  for (const auto& [measure, last] : last_index_) {
    if (!takes(measure)) continue;
    const Measure& from = spec_.measures[static_cast<std::size_t>(measure)];
    plan.lasts.push_back({filter_of(from), last_offsets_[last]});
  }
  updates.last_end = static_cast<std::uint32_t>(plan.lasts.size());
  updates.decay_begin = static_cast<std::uint32_t>(plan.decay_steps.size());
  for (std::uint32_t d = 0; d < decayed_.size(); ++d) {
    if (!takes(decayed_[d].measure)) continue;
    const Measure& from = spec_.measures[static_cast<std::size_t>(decayed_[d].measure)];
    plan.decay_steps.push_back({filter_of(from), decayed_[d].is_sum, from.value, d});
  }
  updates.decay_end = static_cast<std::uint32_t>(plan.decay_steps.size());
  list_tail_steps(type, updates);
  plan.types.push_back(updates);
}

// Factors until a sum of 2^62 is gone: 62 half-lives. Rounded to Q63 once, from an exponential that
// has the same bits everywhere.
void PlanBuilder::list_decays() {
  constexpr double ln2 = 0.69314718055994530942;
  std::map<int, std::uint32_t> begins;  // by half-life
  for (const Decayed& decayed : decayed_) {
    const auto count = static_cast<std::uint32_t>(62 * decayed.half_life);
    const auto [begin, is_new] =
        begins.emplace(decayed.half_life, static_cast<std::uint32_t>(plan_.factors.size()));
    for (std::uint32_t age = 1; is_new && age <= count; ++age) {
      const double factor = exact_exp(-ln2 * age / decayed.half_life);
      plan_.factors.push_back(static_cast<std::uint64_t>(std::round(std::ldexp(factor, 63))));
    }
    plan_.decays.push_back({decayed.tier, decayed.offset, begin->second, count});
  }
}

void PlanBuilder::list_updates() {
  for (int type = 0; type < event_type_count; ++type) list_type(static_cast<EventType>(type));
  list_decays();
}

// Linear counting: with m bits of which k are set, about m ln(m / (m - k)) distinct values; a full
// sketch reads as if half a bit were unset. Rounded to hundredths, so that the last bits of a
// logarithm never matter and no device needs one.
std::uint32_t PlanBuilder::estimates_of(int bits) {
  std::vector<double>& table = plan_.estimates;
  const auto [found, is_new] = estimates_.emplace(bits, static_cast<std::uint32_t>(table.size()));
  if (is_new) {
    const double m = bits;
    for (int set = 0; set <= bits; ++set) {
      const double unset = std::max(m - set, 0.5);
      table.push_back(std::round(100.0 * m * std::log(m / unset)) / 100.0);
    }
  }
  return found->second;
}

std::uint32_t PlanBuilder::table_of(const Feature& feature) {
  const auto [found, is_new] = tables_.emplace(std::pair(feature.kind, feature.of), 0);
  if (is_new) found->second = append_table(spec_, feature, groups_, plan_);
  return found->second;
}

std::uint32_t PlanBuilder::scan_of(const Feature& feature, std::size_t store) {
  plan_.scans.push_back(
      {stores_[store].ring, stores_[store].bucket_offset, static_cast<std::int16_t>(feature.delay),
       static_cast<std::int16_t>(feature.delay + feature.length), feature.of_amount, feature.mark});
  return static_cast<std::uint32_t>(plan_.scans.size() - 1);
}

std::uint32_t PlanBuilder::few_scan_of(const Feature& feature, std::size_t index) {
  const Total& total = totals_[index];
  const Store& store = stores_[total.store];
  plan_.few_scans.push_back(
      {store.ring, store.bucket_offset, total.offset, static_cast<std::uint16_t>(store.cells),
       static_cast<std::int16_t>(total.age_begin), static_cast<std::int16_t>(total.age_end),
       estimates_of(feature.sketch_bits)});
  return static_cast<std::uint32_t>(plan_.few_scans.size() - 1);
}

ReadStep PlanBuilder::read_of(std::size_t index) {
  const Feature& feature = spec_.features[index];
  const Needs& needs = needs_[index];
  const auto total = [&](std::size_t i) { return totals_[needs.totals[i]].offset; };
  const auto part = [&](std::size_t i) { return static_cast<std::uint32_t>(feature.add[i]); };
  const auto step = [&](ReadKind kind, std::uint32_t a = 0, std::uint32_t b = 0,
                        std::uint32_t c = 0) {
    return ReadStep{kind, static_cast<std::uint32_t>(index), a, b, c};
  };
  if (is_of_last(feature)) return read_of_tail(index);
  switch (feature.kind) {
    case FeatureKind::event_amount:
      return step(ReadKind::event_amount);
    case FeatureKind::event_type:
      return step(ReadKind::event_type, feature.types);
    case FeatureKind::event_bit:
      return step(ReadKind::event_bit, feature.bit);
    case FeatureKind::history:
      return step(ReadKind::history, 0, static_cast<std::uint32_t>(feature.unit_ms));
    case FeatureKind::since:
      return step(ReadKind::since, last_offsets_[static_cast<std::size_t>(needs.last)],
                  static_cast<std::uint32_t>(feature.unit_ms));
    case FeatureKind::count:
    case FeatureKind::sum:
    case FeatureKind::active:
      return step(ReadKind::total, total(0));
    case FeatureKind::period_mean:
      return step(ReadKind::periods, total(0), static_cast<std::uint32_t>(feature.length));
    case FeatureKind::mean:
      return step(ReadKind::mean, total(0), total(1));
    case FeatureKind::stddev:
      return step(ReadKind::deviation, total(0), total(1), total(2));
    case FeatureKind::cv:
      return step(ReadKind::variation, total(0), total(1), total(2));
    case FeatureKind::min:
      return step(ReadKind::least, total(0));
    case FeatureKind::max:
      return step(ReadKind::greatest, total(0));
    case FeatureKind::distinct:
      if (feature.exact_few) return step(ReadKind::few, few_scan_of(feature, needs.totals[0]));
      return step(ReadKind::distinct, total(0),
                  static_cast<std::uint32_t>(feature.sketch_bits / 64),
                  estimates_of(feature.sketch_bits));
    case FeatureKind::quantile:
      plan_.estimates.push_back(feature.below);
      return step(ReadKind::quantile, total(0), static_cast<std::uint32_t>(feature.cells),
                  static_cast<std::uint32_t>(plan_.estimates.size() - 1));
    case FeatureKind::largest_share:
    case FeatureKind::herfindahl:
      return step(
          feature.kind == FeatureKind::herfindahl ? ReadKind::herfindahl : ReadKind::largest,
          total(0), static_cast<std::uint32_t>(feature.cells));
    case FeatureKind::longest_gap:
    case FeatureKind::streak:
      return step(feature.kind == FeatureKind::streak ? ReadKind::streak : ReadKind::longest_gap,
                  scan_of(feature, static_cast<std::size_t>(needs.store)));
    case FeatureKind::decayed_count:
    case FeatureKind::decayed_sum:
      return step(ReadKind::decayed, decayed_[static_cast<std::size_t>(needs.decayed)].offset);
    case FeatureKind::peer_mean:
    case FeatureKind::peer_stddev:
      return step(ReadKind::peers, table_of(feature),
                  static_cast<std::uint32_t>(1 + feature.scale));
    case FeatureKind::season:
      return step(ReadKind::season, table_of(feature), static_cast<std::uint32_t>(feature.delay));
    case FeatureKind::ratio:
      return step(ReadKind::ratio, part(0), part(1));
    case FeatureKind::change:
      return step(ReadKind::change, part(0), part(1));
    case FeatureKind::difference:
      return step(ReadKind::difference, part(0), part(1));
    case FeatureKind::fraud_share:
    case FeatureKind::net:
      break;
  }
  std::vector<std::int32_t>& operands = plan_.operands;
  const std::uint32_t begin = static_cast<std::uint32_t>(operands.size());
  operands.insert(operands.end(), feature.add.begin(), feature.add.end());
  for (const int other : feature.subtract) operands.push_back(~other);
  return step(ReadKind::net, begin, static_cast<std::uint32_t>(operands.size()));
}

void PlanBuilder::list_reads() {
  std::uint32_t column = 0;
  for (std::size_t f = 0; f < spec_.features.size(); ++f) {
    const Feature& feature = spec_.features[f];
    if (reads(feature)) plan_.reads.push_back(read_of(f));
    if (writes(feature)) {
      plan_.columns.push_back(
          {static_cast<std::uint32_t>(f), column, feature.scale, feature.empty});
    }
    column += feature.hidden ? 0 : 1;
  }
}

void PlanBuilder::finish() {
  const WindowPlan& plan = plan_;
  view_.rings = plan.rings.data();
  view_.groups = plan.groups.data();
  view_.shifts = plan.shifts.data();
  view_.types = plan.types.data();
  view_.ring_updates = plan.ring_updates.data();
  view_.updates = plan.updates.data();
  view_.members = plan.members.data();
  view_.lasts = plan.lasts.data();
  view_.amount_tests = plan.amount_tests.data();
  view_.decays = plan.decays.data();
  view_.decay_steps = plan.decay_steps.data();
  view_.factors = plan.factors.data();
  view_.tails = plan.tails.data();
  view_.tail_steps = plan.tail_steps.data();
  view_.matured_scans = plan.matured_scans.data();
  view_.scans = plan.scans.data();
  view_.few_scans = plan.few_scans.data();
  view_.reads = plan.reads.data();
  view_.operands = plan.operands.data();
  view_.columns = plan.columns.data();
  view_.estimates = plan.estimates.data();
  view_.series = plan.series.data();
  view_.entries = plan.entries.data();
  view_.ring_count = static_cast<std::uint32_t>(plan.rings.size());
  view_.decay_count = static_cast<std::uint32_t>(plan.decays.size());
  view_.tail_count = static_cast<std::uint32_t>(plan.tails.size());
  view_.read_count = static_cast<std::uint32_t>(plan.reads.size());
  view_.number_count = static_cast<std::uint32_t>(spec_.features.size());
  view_.column_count = static_cast<std::uint32_t>(plan.columns.size());
}

std::string fingerprint_of(const FeatureSpec& spec, const WindowPlanView& merchants,
                           const WindowPlanView& payers, const std::string& tables) {
  std::string text = "windows 1\n";  // the meaning of the rest; a change of bits raises it
  for (const std::int32_t buckets : merchants.tier_buckets) text += fmt::format("{} ", buckets);
  if (payers.column_count != 0) {
    text += "payers ";
    for (const std::int32_t buckets : payers.tier_buckets) text += fmt::format("{} ", buckets);
  }
  text += "\n";
  for (const std::uint32_t open : {merchants.open_invoices, payers.open_invoices}) {
    if (open != 0) text += fmt::format("open {}\n", open);
  }
  for (const Feature& feature : spec.features) text += canonical_text(spec, feature);
  text += tables;
  return sha256_hex(text);
}

std::string payer_fingerprint_of(const FeatureSpec& spec, const WindowPlanView& payers) {
  std::string text = "payer windows 1\n";  // as above
  for (const std::int32_t buckets : payers.tier_buckets) text += fmt::format("{} ", buckets);
  text += "\n";
  for (const Feature& feature : spec.features) {
    // Those of the event alone may be part of a payer's.
    if (feature.entity != Entity::merchant) text += canonical_text(spec, feature);
  }
  return sha256_hex(text);
}

}  // namespace tidemark
