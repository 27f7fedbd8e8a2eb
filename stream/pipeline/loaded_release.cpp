// See loaded_release.hpp.
#include "stream/pipeline/loaded_release.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "kernels/base/civil_time.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::unique_ptr<LoadedRelease> load_release(const Config& config,
                                            std::shared_ptr<const FeaturePlan> plan,
                                            const std::filesystem::path& directory, Backend backend,
                                            Provenance provenance) {
  auto loaded = std::make_unique<LoadedRelease>();
  loaded->plan = std::move(plan);
  if (provenance == Provenance::kafka_topics && loaded->plan->has_payers()) {
    if (loaded->plan->payers_read(Source::invoices)) {
      throw UsageError(fmt::format(
          "{}: has features of payers that are made of invoices: on topics payers are known by "
          "payments alone, so only replay of files has them",
          config.features_spec.string()));
    }
    loaded->payer_header.emplace(*loaded->plan, config);
  }
  if (directory.empty()) {
    if (!config.features_rates.empty()) loaded->rates = RateTable::load(config.features_rates);
    return loaded;
  }
  const auto names = loaded->plan->names();
  loaded->bundle = load_bundle(directory, names, loaded->plan->fingerprint());
  const Bundle& bundle = loaded->bundle;
  if (!bundle.rates.empty()) loaded->rates = RateTable::load(bundle.rates);
  if (loaded->rates && loaded->payer_header) {
    throw UsageError(fmt::format(
        "{}: has exchange rates and {} features of payers: they are counted before a merchant's "
        "currency is known, so with rates only replay of files has them",
        directory.string(), config.features_spec.string()));
  }
  loaded->policy = std::make_unique<Policy>(bundle, names);
  loaded->fraud = make_forest_scorer(bundle.fraud, bundle.fraud_columns, backend);
  check_golden_rows(bundle.fraud_golden, *loaded->fraud, bundle.fraud_columns, names.size(),
                    "fraud");
  if (bundle.has_credit()) {
    loaded->credit = make_forest_scorer(bundle.credit, bundle.credit_columns, backend);
    check_golden_rows(bundle.credit_golden, *loaded->credit, bundle.credit_columns, names.size(),
                      "credit");
  }
  ReleaseParts parts;
  parts.spec_fingerprint = loaded->plan->fingerprint();
  parts.spec_text = read_text(config.features_spec);
  parts.engine_version = TIDEMARK_VERSION;
  parts.zone = config.zone;
  parts.future_tolerance_h = config.future_tolerance_ms / ms_per_hour;
  parts.dedup_horizon_h = config.dedup_horizon_ms / ms_per_hour;
  parts.sweep_interval_h = config.sweep_interval_ms / ms_per_hour;
  loaded->release = make_release(bundle, parts);
  EncoderNames words;
  for (std::size_t s = 0; s < source_count; ++s) {
    words.topics[s] = provenance == Provenance::kafka_topics
                          ? config.kafka.input_topics[s]
                          : std::string(name_of(static_cast<Source>(s)));
  }
  words.features.assign(names.begin(), names.end());
  words.tiers = loaded->policy->tier_names();
  words.reasons = bundle.reasons;
  words.release = loaded->release.fingerprint;
  loaded->encoder = std::make_unique<DecisionEncoder>(std::move(words));
  return loaded;
}

}  // namespace tidemark
