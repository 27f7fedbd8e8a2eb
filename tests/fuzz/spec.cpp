// Feature specs: refused in one line, or compiled to a plan that tells about itself.
#include "features/plan.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  fuzz::accepts([&] {
    const auto plan = FeaturePlan::parse(fuzz::text_of(data, size), "spec");
    fuzz::require(plan->table().size() == plan->names().size(), "each column is described");
    fuzz::require(plan->fingerprint().size() == 64, "a plan has a fingerprint");
    for (std::size_t i = 0; i < plan->names().size(); ++i) {
      fuzz::require(plan->column(plan->names()[i]) == static_cast<int>(i), "names are columns");
    }
  });
  return 0;
}
