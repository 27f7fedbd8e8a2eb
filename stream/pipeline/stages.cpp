// See stages.hpp.
#include "stream/pipeline/stages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/failure.hpp"

namespace tidemark {

std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::rekey:
      return "rekey";
    case Stage::payers:
      return "payers";
    case Stage::merchants:
      break;
  }
  return "merchants";
}

bool runs(const Config& config, Stage stage) {
  return std::find(config.stages.begin(), config.stages.end(), stage) != config.stages.end();
}

void fit_stages(Config& config, const FeaturePlan& plan) {
  KafkaSettings& kafka = config.kafka;
  if (!plan.has_payers()) {
    for (const Stage stage : config.stages) {
      if (stage == Stage::merchants) continue;
      throw UsageError(fmt::format("{}: stages: '{}' is for features of payers, and {} has none",
                                   config.file, name_of(stage), config.features_spec.string()));
    }
    config.stages = {Stage::merchants};
    return;
  }
  PayerTopics& topics = kafka.payer_topics;
  std::string& merchants_payments = kafka.input_topics[static_cast<std::size_t>(Source::payments)];
  topics = {merchants_payments, config.by_payer_topic, config.enriched_topic};
  if (topics.by_payer.empty() || topics.enriched.empty()) {
    throw UsageError(fmt::format(
        "{}: kafka.topics: payments-by-payer and payments-enriched have to have a name, as {} has "
        "features of payers",
        config.file, config.features_spec.string()));
  }
  if (config.stages.empty()) {
    config.stages = {Stage::payers, Stage::merchants};
    if (!topics.payments.empty()) config.stages.insert(config.stages.begin(), Stage::rekey);
  }
  if (runs(config, Stage::rekey) && topics.payments.empty()) {
    throw UsageError(config.file +
                     ": stages: 'rekey' reads kafka.topics.payments, which is empty: then "
                     "payments-by-payer is written by others");
  }
  merchants_payments = topics.enriched;
  kafka.keep_headers = true;
}

Config load_fitted_config(const std::filesystem::path& file,
                          const std::vector<std::string>& overrides) {
  Config config = load_config(file, overrides);
  fit_stages(config, *FeaturePlan::load(config.features_spec));
  return config;
}

}  // namespace tidemark
