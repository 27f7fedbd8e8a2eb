// See release_set.hpp.
#include "stream/pipeline/release_set.hpp"

#include <fmt/format.h>

#include "kernels/base/failure.hpp"
#include "stream/pipeline/memory_check.hpp"

namespace tidemark {

ReleaseSet::ReleaseSet(const Config& config, Backend backend, Provenance provenance,
                       ThreadPool& pool) {
  const auto plan = FeaturePlan::load(config.features_spec);
  const bool keeps_payers = provenance == Provenance::source_names;
  check_memory(config, *plan, keeps_payers, machine_memory_bytes());
  const auto add = [&](const std::filesystem::path& bundle) {
    Entry& entry = releases_.emplace_back();
    entry.loaded = load_release(config, plan, bundle, backend, provenance);
    entry.engine = std::make_unique<Engine>(config, *entry.loaded, backend, pool);
  };
  add(config.bundle);
  for (const auto& bundle : config.previous_bundles) add(bundle);
}

Engine& ReleaseSet::engine_of(const std::string& fingerprint, int partition) {
  for (const Entry& entry : releases_) {
    if (entry.loaded->release.fingerprint == fingerprint) return *entry.engine;
  }
  throw RunError(fmt::format(
      "the journal of partition {} was written under release {}, this is release {}: name the "
      "bundle of the earlier release in previous_bundles, with the spec and the settings of time "
      "as they were",
      partition, fingerprint, current().release.fingerprint));
}

void ReleaseSet::encode_documents(OutputBatch& out) const {
  for (const Entry& entry : releases_) {
    const Release& release = entry.loaded->release;
    if (!release.fingerprint.empty()) encode_release(release.fingerprint, release.document, out);
  }
}

}  // namespace tidemark
