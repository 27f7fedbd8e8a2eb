// Compiles what a spec says of one entity: shares accumulators between features, lays out the
// record, lists the steps that fill and read it. Used at load, by one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "features/plan.hpp"

namespace tidemark {

class PlanBuilder {
 public:
  static std::shared_ptr<const FeaturePlan> build(FeatureSpec spec);

 private:
  /// One accumulator of one measure in one tier; as long as its longest window.
  struct Store {
    int measure = 0;
    Accumulator kind = Accumulator::count;
    Tier tier = Tier::day;
    int cells = 0;
    int length = 0;
    std::uint32_t ring = 0, bucket_offset = 0;
    using Key = std::tuple<int, Accumulator, Tier, int>;
    Key key() const { return {measure, kind, tier, cells}; }
  };
  /// One total over one window of a store.
  struct Total {
    std::size_t store = 0;
    int age_begin = 0, age_end = 0;
    bool active = false;
    std::uint32_t offset = 0;
    using Key = std::tuple<std::size_t, int, int, bool>;
    Key key() const { return {store, age_begin, age_end, active}; }
  };
  /// A sum that decays, of the events of one measure.
  struct Decayed {
    int measure = 0;
    bool is_sum = false;
    Tier tier = Tier::day;
    int half_life = 0;
    std::uint32_t offset = 0;
    using Key = std::tuple<int, bool, Tier, int>;
    Key key() const { return {measure, is_sum, tier, half_life}; }
  };
  /// The last events of a measure; as long as the feature that looks furthest back.
  struct TailPlan {
    int measure = 0;
    bool is_judged = false;  // payments that feedback names, else amounts
    int length = 0;
    using Key = std::pair<int, bool>;
    Key key() const { return {measure, is_judged}; }
  };
  /// What a feature reads, as indices: totals, single buckets, a latest time, a decayed sum, a
  /// tail.
  struct Needs {
    std::vector<std::size_t> totals;
    int store = -1;
    int last = -1;
    int decayed = -1;
    int tail = -1;
  };

  PlanBuilder(const FeaturePlan& of, Entity entity, WindowPlan& plan, WindowPlanView& view)
      : spec_(of.spec_), groups_(of.groups_), entity_(entity), plan_(plan), view_(view) {}
  /// `infos` has one entry for each feature; those of this entity get their bytes.
  void run(std::vector<FeatureInfo>& infos);
  /// Whether this entity's record is what the feature is read from; the event's own are read with
  /// either, and are columns of the merchant's.
  bool reads(const Feature& feature) const {
    return feature.entity == entity_ || feature.entity == Entity::event;
  }
  bool writes(const Feature& feature) const {
    return !feature.hidden && (feature.entity == entity_ ||
                               (feature.entity == Entity::event && entity_ == Entity::merchant));
  }
  int canonical_measure(int measure) const;
  std::size_t want_store(const Feature& feature, Accumulator kind, FeatureInfo& info);
  std::size_t want_total(const Feature& feature, Accumulator kind, bool active, FeatureInfo& info);
  Needs needs_of(const Feature& feature, FeatureInfo& info);
  int want_last(int measure, FeatureInfo& info);
  int want_decayed(const Feature& feature, FeatureInfo& info);
  int want_tail(const Feature& feature, FeatureInfo& info);
  void want_open_invoices(const Feature& feature, FeatureInfo& info);
  void assign_rings();
  void lay_out_rings();
  void lay_out_front();
  std::uint32_t lay_out_tail_states(std::uint32_t at);
  std::uint32_t lay_out_tail_entries(std::uint32_t at);
  void list_groups();
  void list_updates();
  void list_type(EventType type);
  EventFilter filter_of(const Measure& measure);
  void list_update_steps(EventType type, std::uint32_t ring);
  void list_tail_steps(EventType type, TypeUpdates& updates);
  void list_decays();
  std::uint32_t scan_of(const Feature& feature, std::size_t store);
  std::uint32_t few_scan_of(const Feature& feature, std::size_t total);
  void list_reads();
  ReadStep read_of(std::size_t feature);
  ReadStep read_of_tail(std::size_t feature);
  std::uint32_t estimates_of(int bits);
  std::uint32_t table_of(const Feature& feature);
  void finish();

  const FeatureSpec& spec_;
  const TableGroups& groups_;
  const Entity entity_;
  WindowPlan& plan_;
  WindowPlanView& view_;
  std::vector<Store> stores_;
  std::map<Store::Key, std::size_t> store_index_;
  std::vector<Total> totals_;
  std::map<Total::Key, std::size_t> total_index_;
  std::vector<Needs> needs_;               // by feature
  std::map<int, std::size_t> last_index_;  // by measure
  std::vector<std::uint32_t> last_offsets_;
  std::vector<Decayed> decayed_;
  std::map<Decayed::Key, std::size_t> decayed_index_;
  std::vector<TailPlan> tails_;
  std::map<TailPlan::Key, std::size_t> tail_index_;
  std::map<int, std::uint32_t> estimates_;
  std::map<std::pair<FeatureKind, int>, std::uint32_t> tables_;
  bool has_tables_ = false;
  int open_invoices_ = 0;  // as many as the measure that asks for most
};

/// Hex SHA-256 of everything in a spec that changes bits, `tables` of its tables.
std::string fingerprint_of(const FeatureSpec& spec, const WindowPlanView& merchants,
                           const WindowPlanView& payers, const std::string& tables);
/// The same of the payers' columns alone.
std::string payer_fingerprint_of(const FeatureSpec& spec, const WindowPlanView& payers);

}  // namespace tidemark
