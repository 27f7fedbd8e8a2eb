// See release.hpp. The fingerprint is a hash of the document's content, so two releases that decide
// differently cannot share it.
#include "models/release.hpp"

#include <fmt/format.h>

#include <cmath>
#include "kernels/base/sha256.hpp"

namespace tidemark {
namespace {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string model_json(const ModelEntry& model) {
  return fmt::format(R"({{"role":{},"name":{},"version":{},"file":{},"sha256":{}}})",
                     json_text(model.role), json_text(model.name), json_text(model.version),
                     json_text(model.file), json_text(model.sha256));
}

std::string number_or_null(float value) {
  // Shortest form that reads back to the same float.
  return std::isfinite(value) ? fmt::format("{}", value) : std::string("null");
}

}  // namespace

/// `,"references":[[...],...]`, or nothing: a bundle without them keeps its fingerprint.
std::string references_json(const Bundle& bundle) {
  std::string rows;
  for (std::size_t i = 0; i < bundle.references.size(); ++i) {
    const bool first = i % bundle.baseline.size() == 0;
    if (first) rows += rows.empty() ? ",\"references\":[[" : "],[";
    if (!first) rows += ',';
    rows += number_or_null(bundle.references[i]);
  }
  return rows.empty() ? rows : rows + "]]";
}

/// `,"rates":{...}`, or nothing likewise.
std::string rates_json(const Bundle& bundle) {
  if (bundle.rates.empty()) return "";
  return fmt::format(R"(,"rates":{{"file":{},"sha256":"{}"}})",
                     json_text(bundle.rates.filename().string()), bundle.rates_sha256);
}

Release make_release(const Bundle& bundle, const ReleaseParts& parts) {
  std::string models, baseline;
  for (const ModelEntry& model : bundle.models) {
    if (!models.empty()) models += ',';
    models += model_json(model);
  }
  for (const float value : bundle.baseline) {
    if (!baseline.empty()) baseline += ',';
    baseline += number_or_null(value);
  }
  const std::string references = references_json(bundle);
  const std::string body = fmt::format(
      R"("engine":{},"bundle":{{"name":{},"version":{}}},"models":[{}],)"
      R"("thresholds":{{"review":{},"block":{}}},"baseline":[{}]{},)"
      R"("policy":{{"name":{},"sha256":"{}","yaml":{}}},)"
      R"("reasons":{{"sha256":"{}","yaml":{}}}{},)"
      R"("time":{{"zone":{},"future_tolerance_h":{},"dedup_horizon_h":{},"sweep_interval_h":{}}},)"
      R"("spec":{{"fingerprint":{},"yaml":{}}}}})",
      json_text(parts.engine_version), json_text(bundle.name), json_text(bundle.version), models,
      bundle.review_threshold, bundle.block_threshold, baseline, references,
      json_text(bundle.policy.name), sha256_hex(bundle.policy.text), json_text(bundle.policy.text),
      sha256_hex(bundle.reasons.text), json_text(bundle.reasons.text), rates_json(bundle),
      json_text(parts.zone), parts.future_tolerance_h, parts.dedup_horizon_h,
      parts.sweep_interval_h, json_text(parts.spec_fingerprint), json_text(parts.spec_text));
  Release release;
  release.fingerprint = sha256_hex(body).substr(0, 12);
  release.document = fmt::format(R"({{"release":"{}",)", release.fingerprint) + body;
  return release;
}

}  // namespace tidemark
