// Loading a plan from a file or from text; plan_builder.cpp does the work.
#include "features/plan.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "features/merchant_hot.hpp"
#include "features/plan_builder.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {

std::shared_ptr<const FeaturePlan> FeaturePlan::load(const std::filesystem::path& yaml) {
  std::ifstream file(yaml, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) throw UsageError(yaml.string() + ": cannot read the file");
  return parse(text, yaml.string());
}

std::shared_ptr<const FeaturePlan> FeaturePlan::parse(std::string_view text,
                                                      std::string_view origin) {
  return PlanBuilder::build(parse_feature_spec(text, origin));
}

int FeaturePlan::column(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  return found == names_.end() ? -1 : static_cast<int>(found - names_.begin());
}

std::size_t FeaturePlan::bytes_per_merchant() const {
  return view_.record_bytes + merchant_overhead_bytes;
}

}  // namespace tidemark
