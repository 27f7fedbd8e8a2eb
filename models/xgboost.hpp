// Importer of XGBoost models (JSON and UBJSON, as versions 1.0 and newer write them) into the
// canonical forest.
#pragma once

#include <string_view>

#include "kernels/data/forest.hpp"
#include "models/model_document.hpp"

namespace tidemark {

/// All trees of the file: best_iteration is ignored. Categories are the codes that the rows hold;
/// names of categories that the file may carry are not used. Throws UsageError, one line naming
/// `name`, the path in the document and the construct.
Forest import_xgboost(const DocumentValue& model, std::string_view name);

}  // namespace tidemark
