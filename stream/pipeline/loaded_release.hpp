// Everything that decides, loaded and bound once: plan, forests, policy, encoder. Shared by all
// lanes and immutable, but for the scorers' own buffers: one thread scores at a time.
#pragma once

#include <memory>
#include <optional>

#include "features/plan.hpp"
#include "features/rate_table.hpp"
#include "kernels/forest/scorer.hpp"
#include "models/bundle.hpp"
#include "models/policy.hpp"
#include "models/release.hpp"
#include "stream/encode/encoder.hpp"
#include "stream/pipeline/config.hpp"
#include "stream/pipeline/payer_header.hpp"

namespace tidemark {

/// What the `topic` of a provenance says: in file replay the source's name.
enum class Provenance { source_names, kafka_topics };

struct LoadedRelease {
  std::shared_ptr<const FeaturePlan> plan;
  Bundle bundle;
  std::shared_ptr<const RateTable> rates;  // null where there are none
  std::unique_ptr<Policy> policy;          // null without a bundle: rows for training, no decisions
  std::unique_ptr<ForestScorer> fraud, credit;  // credit is null when the bundle has none
  Release release;
  std::unique_ptr<DecisionEncoder> encoder;
  std::optional<PayerHeader> payer_header;  // where the payers' features come with the records
};

/// Loads a bundle for a plan; an empty directory name stands for no bundle. Throws UsageError.
std::unique_ptr<LoadedRelease> load_release(const Config& config,
                                            std::shared_ptr<const FeaturePlan> plan,
                                            const std::filesystem::path& bundle, Backend backend,
                                            Provenance provenance);

}  // namespace tidemark
