// A compiled feature spec: what each column means, and where the numbers behind it live in the
// records of merchants and payers. Immutable after load and shared by all threads and partitions.
// It holds no key; merchant_table.hpp and payer_table.hpp do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "features/plan_tables.hpp"
#include "features/spec.hpp"
#include "kernels/window/window_plan.hpp"

namespace tidemark {

/// What `tidemark features` prints of one column.
struct FeatureInfo {
  std::string name;
  std::string formula;
  std::string window;             // empty for fields of the event
  std::string label;              // exact, bucket(1 day), sketch(5%)
  Entity entity = Entity::event;  // whose record it is read from
  std::size_t bytes_per_key = 0;  // accumulators that this column alone or first asked for
};

class FeaturePlan {
 public:
  /// Reads and compiles a spec. Throws UsageError "file:line:column: what" for whatever does not
  /// fit: unknown keys, wrong types, unknown names, windows that no ring holds.
  static std::shared_ptr<const FeaturePlan> load(const std::filesystem::path& yaml);
  /// The same from text; `origin` stands for the file in messages.
  static std::shared_ptr<const FeaturePlan> parse(std::string_view text, std::string_view origin);

  /// Columns in the order of the spec.
  std::span<const std::string> names() const { return names_; }
  /// Column of a name, -1 if absent.
  int column(std::string_view name) const;
  /// Hex SHA-256 of everything in the spec that changes bits. Comments and layout do not.
  const std::string& fingerprint() const { return fingerprint_; }
  /// Bytes that one more merchant takes: record, index entry, bookkeeping. Without its id beyond
  /// 24 bytes, its profile and its event ids.
  std::size_t bytes_per_merchant() const;
  std::span<const FeatureInfo> table() const { return table_; }

  const FeatureSpec& spec() const { return spec_; }
  /// The merchants' windows: their columns and the event's own. Points into this plan; valid as
  /// long as it lives.
  const WindowPlanView& windows() const { return merchants_.view; }
  /// The payers' windows, with their columns alone.
  const WindowPlanView& payer_windows() const { return payers_.view; }
  /// The arrays behind the two, for those who copy them to a device.
  const WindowPlan& window_arrays() const { return merchants_.plan; }
  const WindowPlan& payer_arrays() const { return payers_.plan; }
  /// The groups of merchants that the spec's tables speak of.
  const TableGroups& groups() const { return groups_; }
  bool has_payers() const { return payers_.view.column_count != 0; }
  /// Whether events of a source belong to their payers: payments do, invoices where a measure of
  /// the payer asks for them.
  bool payers_read(Source source) const;
  /// Hex SHA-256 of everything in the spec that changes the bits of the payers' columns.
  const std::string& payer_fingerprint() const { return payer_fingerprint_; }

 private:
  FeaturePlan() = default;
  friend class PlanBuilder;

  FeatureSpec spec_;
  TableGroups groups_;
  std::vector<std::string> names_;
  std::string fingerprint_, payer_fingerprint_;
  std::vector<FeatureInfo> table_;
  struct Part {
    WindowPlan plan;
    WindowPlanView view;
  };
  Part merchants_, payers_;
};

}  // namespace tidemark
