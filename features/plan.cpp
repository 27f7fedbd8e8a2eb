// Loading a plan from a file or from text; plan_builder.cpp does the work.
#include "features/plan.hpp"

#include <algorithm>

#include "features/merchant_hot.hpp"
#include "features/plan_builder.hpp"
#include "kernels/base/read_file.hpp"
#include "kernels/base/strict_yaml.hpp"

namespace tidemark {

std::shared_ptr<const FeaturePlan> FeaturePlan::load(const std::filesystem::path& yaml) {
  return parse(read_file(yaml, yaml_bytes_max), yaml.string());
}

std::shared_ptr<const FeaturePlan> FeaturePlan::parse(std::string_view text,
                                                      std::string_view origin) {
  return PlanBuilder::build(parse_feature_spec(text, origin));
}

int FeaturePlan::column(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  return found == names_.end() ? -1 : static_cast<int>(found - names_.begin());
}

bool FeaturePlan::payers_read(Source source) const {
  if (!has_payers()) return false;
  return source == Source::payments ||
         std::any_of(spec_.measures.begin(), spec_.measures.end(), [&](const Measure& measure) {
           return measure.entity == Entity::payer && measure.source == source;
         });
}

std::size_t FeaturePlan::bytes_per_merchant() const {
  return merchants_.view.record_bytes + merchant_overhead_bytes;
}

}  // namespace tidemark
