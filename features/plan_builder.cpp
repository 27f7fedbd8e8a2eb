// The first half of compiling: which accumulators and totals a spec needs, and where they lie in
// the record. plan_steps.cpp lists the steps that use them.
#include "features/plan_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

std::uint32_t bytes_of(Accumulator kind, int cells) {
  switch (kind) {
    case Accumulator::count:
      return 4;
    case Accumulator::sum_squares:
      return 16;
    case Accumulator::histogram:  // an even number of them, so that what follows stays aligned
      return 4 * static_cast<std::uint32_t>(cells + 1) / 8 * 8;
    case Accumulator::few:  // their number stands before them
      return 8 * static_cast<std::uint32_t>(cells + 1);
    case Accumulator::sketch:
    case Accumulator::payer_sums:
      return 8 * static_cast<std::uint32_t>(cells);
    default:
      return 8;
  }
}

std::uint32_t total_bytes_of(Accumulator kind, int cells) {
  return has_cells(kind) ? 8 * static_cast<std::uint32_t>(cells)
                         : std::max(8U, bytes_of(kind, cells));
}

int cells_of(Accumulator kind, const Feature& feature) {
  if (has_sketch(kind)) return feature.sketch_bits / 64;
  return has_cells(kind) ? feature.cells : 0;
}

constexpr std::uint32_t cache_line_bytes = 64;

// Far above any sensible record, far below what offsets of 32 bits reach.
constexpr std::size_t key_bytes_max = std::size_t{64} << 20;

constexpr std::uint32_t group_bytes = 8;  // of the number of a merchant's group

constexpr std::uint32_t round_up(std::uint32_t value, std::uint32_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Lengths that decide whether an event is too late, however short the windows of a tier are.
constexpr std::int32_t least_tier_buckets[tier_count] = {64, 32, 45, 14, 14};

}  // namespace

std::shared_ptr<const FeaturePlan> PlanBuilder::build(FeatureSpec spec) {
  std::shared_ptr<FeaturePlan> plan(new FeaturePlan);
  plan->spec_ = std::move(spec);
  plan->groups_ = TableGroups(plan->spec_);
  std::vector<FeatureInfo> infos;
  for (const Feature& feature : plan->spec_.features) {
    infos.push_back({feature.name, formula_text(plan->spec_, feature), window_text(feature),
                     feature.label, feature.entity, 0});
  }
  PlanBuilder merchants(*plan, Entity::merchant, plan->merchants_.plan, plan->merchants_.view);
  merchants.run(infos);
  PlanBuilder payers(*plan, Entity::payer, plan->payers_.plan, plan->payers_.view);
  payers.run(infos);
  for (std::size_t f = 0; f < infos.size(); ++f) {
    if (plan->spec_.features[f].hidden) continue;
    plan->names_.push_back(infos[f].name);
    plan->table_.push_back(std::move(infos[f]));
  }
  plan->fingerprint_ = fingerprint_of(plan->spec_, plan->merchants_.view, plan->payers_.view,
                                      tables_text(plan->groups_, plan->merchants_.plan));
  plan->payer_fingerprint_ = payer_fingerprint_of(plan->spec_, plan->payers_.view);
  return plan;
}

void PlanBuilder::run(std::vector<FeatureInfo>& infos) {
  std::size_t bytes = 0;
  for (std::size_t f = 0; f < spec_.features.size(); ++f) {
    const Feature& feature = spec_.features[f];
    needs_.push_back(reads(feature) ? needs_of(feature, infos[f]) : Needs{});
    if (feature.entity != entity_) continue;
    bytes += infos[f].bytes_per_key;
    if (bytes > key_bytes_max) {
      throw UsageError(fmt::format("{}:{}:{}: '{}': one {} would take more than {} MiB",
                                   spec_.origin, feature.line, feature.column, feature.name,
                                   entity_ == Entity::payer ? "payer" : "merchant",
                                   key_bytes_max >> 20));
    }
  }
  lay_out_rings();
  lay_out_front();
  list_groups();
  list_updates();
  list_reads();
  finish();
}

// Measures that differ only in name share their accumulators.
int PlanBuilder::canonical_measure(int measure) const {
  const Measure& wanted = spec_.measures[static_cast<std::size_t>(measure)];
  for (int m = 0; m < measure; ++m) {
    const Measure& other = spec_.measures[static_cast<std::size_t>(m)];
    if (other.entity == wanted.entity && other.types == wanted.types &&
        other.need_mask == wanted.need_mask && other.need_bits == wanted.need_bits &&
        other.amount == wanted.amount && other.value == wanted.value) {
      return m;
    }
  }
  return measure;
}

std::size_t PlanBuilder::want_store(const Feature& feature, Accumulator kind, FeatureInfo& info) {
  Store store;
  store.measure = canonical_measure(feature.measure);
  store.kind = kind;
  store.tier = feature.tier;
  store.cells = cells_of(kind, feature);
  const auto [found, is_new] = store_index_.emplace(store.key(), stores_.size());
  if (is_new) stores_.push_back(store);
  Store& kept = stores_[found->second];
  const int end = feature.delay + feature.length;
  info.bytes_per_key +=
      static_cast<std::size_t>(std::max(0, end - kept.length)) * bytes_of(kind, store.cells);
  kept.length = std::max(kept.length, end);
  return found->second;
}

std::size_t PlanBuilder::want_total(const Feature& feature, Accumulator kind, bool active,
                                    FeatureInfo& info) {
  Total total{want_store(feature, kind, info), feature.delay, feature.delay + feature.length,
              active, 0};
  const auto [at, is_new] = total_index_.emplace(total.key(), totals_.size());
  if (is_new) {
    totals_.push_back(total);
    info.bytes_per_key += total_bytes_of(kind, cells_of(kind, feature));
  }
  return at->second;
}

int PlanBuilder::want_last(int measure, FeatureInfo& info) {
  const auto [found, is_new] = last_index_.emplace(canonical_measure(measure), last_index_.size());
  if (is_new) info.bytes_per_key += 8;
  return static_cast<int>(found->second);
}

int PlanBuilder::want_decayed(const Feature& feature, FeatureInfo& info) {
  const Decayed wanted{canonical_measure(feature.measure), feature.kind == FeatureKind::decayed_sum,
                       feature.tier, feature.length, 0};
  const auto [found, is_new] = decayed_index_.emplace(wanted.key(), decayed_.size());
  if (is_new) {
    decayed_.push_back(wanted);
    info.bytes_per_key += 8;
  }
  return static_cast<int>(found->second);
}

void PlanBuilder::want_open_invoices(const Feature& feature, FeatureInfo& info) {
  const int open = spec_.measures[static_cast<std::size_t>(feature.measure)].open;
  const auto more = static_cast<std::uint32_t>(std::max(0, open - open_invoices_));
  info.bytes_per_key += more * sizeof(OpenInvoice);
  open_invoices_ = std::max(open_invoices_, open);
}

PlanBuilder::Needs PlanBuilder::needs_of(const Feature& feature, FeatureInfo& info) {
  Needs needs;
  const auto want = [&](Accumulator kind, bool active = false) {
    needs.totals.push_back(want_total(feature, kind, active, info));
  };
  if (feature.measure >= 0) want_open_invoices(feature, info);
  if (is_of_last(feature)) {
    needs.tail = want_tail(feature, info);
    return needs;
  }
  switch (feature.kind) {
    case FeatureKind::count:
      want(Accumulator::count);
      break;
    case FeatureKind::sum:
    case FeatureKind::period_mean:
      want(Accumulator::sum);
      break;
    case FeatureKind::mean:
      want(Accumulator::sum);
      want(Accumulator::count);
      break;
    case FeatureKind::stddev:
    case FeatureKind::cv:
      want(Accumulator::sum);
      want(Accumulator::count);
      want(Accumulator::sum_squares);
      break;
    case FeatureKind::min:
      want(Accumulator::least);
      break;
    case FeatureKind::max:
      want(Accumulator::greatest);
      break;
    case FeatureKind::distinct:
      want(feature.exact_few ? Accumulator::few : Accumulator::sketch);
      break;
    case FeatureKind::active:
      want(feature.of_amount ? Accumulator::sum : Accumulator::count, true);
      break;
    case FeatureKind::quantile:
      want(Accumulator::histogram);
      break;
    case FeatureKind::largest_share:
    case FeatureKind::herfindahl:
      want(Accumulator::payer_sums);
      break;
    case FeatureKind::longest_gap:
    case FeatureKind::streak:
      needs.store = static_cast<int>(
          want_store(feature, feature.of_amount ? Accumulator::sum : Accumulator::count, info));
      break;
    case FeatureKind::decayed_count:
    case FeatureKind::decayed_sum:
      needs.decayed = want_decayed(feature, info);
      break;
    case FeatureKind::peer_mean:
    case FeatureKind::peer_stddev:
    case FeatureKind::season:
      info.bytes_per_key += has_tables_ ? 0 : group_bytes;
      has_tables_ = true;
      break;
    case FeatureKind::since:
      needs.last = want_last(feature.measure, info);
      break;
    default:
      break;
  }
  return needs;
}

// Stores of one tier and length share rings whose buckets fit into a cache line, those of the same
// events together: a payment then touches one line a tier. What has cells is a ring of its own.
void PlanBuilder::assign_rings() {
  std::vector<std::size_t> order(stores_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t s) {
    const std::uint32_t types = spec_.measures[static_cast<std::size_t>(stores_[s].measure)].types;
    return std::tuple(stores_[s].tier, stores_[s].length, std::countr_zero(types),
                      -static_cast<int>(bytes_of(stores_[s].kind, stores_[s].cells)));
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::vector<Ring>& rings = plan_.rings;
  for (const std::size_t s : order) {
    Store& store = stores_[s];
    const std::uint32_t bytes = bytes_of(store.kind, store.cells);
    const bool alone = has_cells(store.kind);
    const auto fits = [&](const Ring& ring) {
      return !alone && ring.tier == store.tier && ring.length == store.length &&
             ring.bucket_bytes + bytes <= cache_line_bytes;
    };
    auto found = std::find_if(rings.begin(), rings.end(), fits);
    if (found == rings.end()) {
      Ring ring;
      ring.tier = store.tier;
      ring.length = static_cast<std::int16_t>(store.length);
      found = rings.insert(rings.end(), ring);
    }
    store.ring = static_cast<std::uint32_t>(found - rings.begin());
    found->bucket_bytes += alone ? std::max(bytes, cache_line_bytes) : bytes;
  }
}

// Wide fields first: every field of a bucket is aligned without gaps.
void PlanBuilder::lay_out_rings() {
  assign_rings();
  std::vector<Ring>& rings = plan_.rings;
  for (Ring& ring : rings) ring.bucket_bytes = 0;
  for (const std::uint32_t width : {16U, 8U, 4U}) {
    for (Store& store : stores_) {
      const std::uint32_t bytes = bytes_of(store.kind, store.cells);
      if ((has_cells(store.kind) ? 8U : bytes) != width) continue;
      store.bucket_offset = rings[store.ring].bucket_bytes;
      rings[store.ring].bucket_bytes += bytes;
    }
  }
  for (const Store& store : stores_) {
    Ring& ring = rings[store.ring];
    const std::uint32_t unit = store.kind == Accumulator::sum_squares ? 16 : 8;
    ring.bucket_bytes = round_up(ring.bucket_bytes, unit);
    std::int32_t& tier = view_.tier_buckets[static_cast<int>(store.tier)];
    tier = std::max({tier, static_cast<std::int32_t>(store.length),
                     least_tier_buckets[static_cast<int>(store.tier)]});
  }
}

// Head, totals and ring states lie together in front: a read-out touches nothing else.
void PlanBuilder::lay_out_front() {
  std::uint32_t at = sizeof(RecordHead);
  for (Ring& ring : plan_.rings) {
    ring.state_offset = at;
    at += ring_state_bytes(ring.length);
  }
  if (has_tables_) {
    view_.group_offset = at;
    at += group_bytes;
  }
  for (std::size_t last = 0; last < last_index_.size(); ++last) {
    last_offsets_.push_back(at);
    at += 8;
  }
  for (Decayed& decayed : decayed_) {
    decayed.offset = at;
    at += 8;
  }
  for (const std::uint32_t width : {8U, 16U, 0U}) {
    if (width == 16) at = round_up(at, 16);
    for (Total& total : totals_) {
      const Store& store = stores_[total.store];
      const std::uint32_t bytes = total_bytes_of(store.kind, store.cells);
      if (has_cells(store.kind) ? width != 0 : width != bytes) continue;
      total.offset = at;
      at += bytes;
    }
  }
  at = lay_out_tail_states(at);
  view_.front_bytes = round_up(at, 64);
  at = view_.front_bytes;
  for (Ring& ring : plan_.rings) {
    // A bucket of 64, 32 or 16 bytes then never straddles two lines.
    at = round_up(at, std::max(16U, ring.bucket_bytes & (~ring.bucket_bytes + 1)));
    ring.bucket_offset = at;
    at += ring.bucket_bytes * static_cast<std::uint32_t>(ring.length);
  }
  at = lay_out_tail_entries(at);
  if (open_invoices_ != 0) {
    view_.open_invoices = static_cast<std::uint32_t>(open_invoices_);
    view_.open_invoices_offset = at;
    at += view_.open_invoices * static_cast<std::uint32_t>(sizeof(OpenInvoice));
  }
  view_.record_bytes = round_up(at, 64);
}

}  // namespace tidemark
