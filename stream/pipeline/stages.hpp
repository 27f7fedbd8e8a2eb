// The stages that `serve` consists of where a spec has features of payers, and which of them a
// process runs. Without such features there is one, the merchants', and nothing here costs a thing.
#pragma once

#include <string_view>

#include "features/plan.hpp"
#include "stream/pipeline/config.hpp"

namespace tidemark {

std::string_view name_of(Stage stage);  // "rekey", "payers", "merchants"
bool runs(const Config& config, Stage stage);

/// Fits a configuration to its spec: which stages run where none are named, and which topic the
/// merchants' payments come from. Call once, before anybody asks for a topic. Throws UsageError for
/// a stage that the spec or the topics have no use for.
void fit_stages(Config& config, const FeaturePlan& plan);

/// load_config(), then fit_stages() with the spec that it names.
Config load_fitted_config(const std::filesystem::path& file,
                          const std::vector<std::string>& overrides);

}  // namespace tidemark
