// Manifests, beside the files of the quick start's bundle.
#include <cstdlib>
#include <fstream>

#include "features/plan.hpp"
#include "models/bundle.hpp"
#include "tests/fuzz/support/fuzz.hpp"

namespace {

namespace fs = std::filesystem;

fs::path bundle_folder(const fs::path& example) {
  std::string pattern = (fs::temp_directory_path() / "tidemark-fuzz-XXXXXX").string();
  tidemark::fuzz::require(mkdtemp(pattern.data()) != nullptr, "a folder can be made");
  fs::copy(example / "bundle", pattern, fs::copy_options::recursive);
  static fs::path made;
  made = pattern;
  std::atexit([] { fs::remove_all(made); });
  return pattern;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  static const fs::path example =
      fs::path(std::getenv("TIDEMARK_SOURCE_DIR")) / "examples/quickstart";
  static const auto plan = FeaturePlan::load(example / "features.yaml");
  static const fs::path folder = bundle_folder(example);
  std::ofstream(folder / "manifest.yaml", std::ios::binary) << fuzz::text_of(data, size);
  fuzz::accepts([&] {
    const Bundle bundle = load_bundle(folder, plan->names(), plan->fingerprint());
    fuzz::require(bundle.baseline.size() == plan->names().size(), "each column has a baseline");
  });
  return 0;
}
