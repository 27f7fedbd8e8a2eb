// See rows_writer.hpp.
#include "stream/rows/rows_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/base/failure.hpp"
#include "kernels/base/output_file.hpp"
#include "kernels/base/sha256.hpp"

namespace tidemark {
namespace {

/// One label is called so; several have the names of what they say.
std::vector<std::string> label_names(const std::vector<LabelRule>& rules) {
  if (rules.size() == 1) return {"label"};
  std::vector<std::string> names;
  for (const LabelRule& rule : rules) {
    names.push_back(fmt::format("label_{}", rule.name()));
    if (std::count(names.begin(), names.end(), names.back()) > 1) {
      throw UsageError(
          fmt::format("--label {}: there is one of {} already", rule.text, rule.name()));
    }
  }
  return names;
}

}  // namespace

RowsSample parse_rows_sample(const std::string& text) {
  RowsSample sample;
  const char* end = text.data() + text.size();
  const auto keep = std::from_chars(text.data(), end, sample.keep);
  if (keep.ec == std::errc() && keep.ptr != end && *keep.ptr == '/') {
    const auto of = std::from_chars(keep.ptr + 1, end, sample.of);
    if (of.ec == std::errc() && of.ptr == end && sample.keep > 0 && sample.keep <= sample.of) {
      return sample;
    }
  }
  throw UsageError("--sample " + text + ": expected N/M, as 1/10, with N from 1 to M");
}

RowsWriter::RowsWriter(const RowsOptions& options, const FeaturePlan& plan)
    : options_(options),
      plan_(plan),
      columns_{{plan.names().begin(), plan.names().end()}, label_names(options.labels)},
      file_(make_row_file(options.file, columns_)),
      counts_(options.labels.size()) {
  std::error_code none_there;
  std::filesystem::remove(manifest(), none_there);  // of an earlier run
  if (options_.labels.empty()) return;
  spool_ =
      std::make_unique<RowSpool>(options_.file.string() + ".unlabelled", columns_.features.size());
}

void RowsWriter::write(const EventBatch& events, std::span<const std::uint32_t> matrix_row,
                       const FeatureMatrix& matrix) {
  if (spool_) feedback_.note(events);
  for (std::size_t row = 0; row < events.rows(); ++row) {
    if (matrix_row[row] == UINT32_MAX || !options_.sample.takes(events.merchant_hash[row])) {
      continue;
    }
    const RowKey key{events.event_id[row], events.merchant_id[row], events.event_time_ms[row]};
    const std::span<const float> features = matrix.row(matrix_row[row]);
    if (spool_) {
      spool_->add(key,
                  {events.merchant_hash[row], events.event_id_hash[row], events.event_time_ms[row],
                   events.partition[row]},
                  features);
    } else {
      file_->add(key, features, {});
    }
    ++rows_;
  }
}

std::filesystem::path RowsWriter::manifest() const {
  return options_.file.string() + ".manifest.json";
}

void RowsWriter::label_rows() {
  feedback_.sort();
  std::vector<float> labels(options_.labels.size());
  spool_->read_back(
      [&](const RowKey& key, const LabelledRow& row, std::span<const float> features) {
        for (std::size_t i = 0; i < labels.size(); ++i) {
          labels[i] = feedback_.label(options_.labels[i], row);
          auto& [positive, negative, unknown] = counts_[i];
          ++(std::isnan(labels[i]) ? unknown : labels[i] > 0 ? positive : negative);
        }
        file_->add(key, features, labels);
      });
  spool_.reset();
}

void RowsWriter::close(const std::string& release) {
  if (spool_) label_rows();
  std::string hashes;
  for (const auto& [word, path] : file_->finish()) {
    hashes += fmt::format(R"("{}":"{}",)", word, sha256_of_file(path));
  }
  std::string labels;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const auto& [positive, negative, unknown] = counts_[i];
    labels +=
        fmt::format(R"({}{{"name":"{}","rule":"{}","positive":{},"negative":{},"unknown":{}}})",
                    i == 0 ? "" : ",", columns_.labels[i], options_.labels[i].text, positive,
                    negative, unknown);
  }
  // Names, formulas and labels come from a checked spec: no quotes, no control characters.
  std::string names, columns;
  for (const FeatureInfo& info : plan_.table()) {
    const char* comma = names.empty() ? "" : ",";
    names += fmt::format(R"({}"{}")", comma, info.name);
    columns += fmt::format(
        R"({}{{"name":"{}","type":"float32","formula":"{}","window":"{}","label":"{}"}})", comma,
        info.name, info.formula, info.window, info.label);
  }
  OutputFile out(manifest());
  out.write(
      fmt::format(R"({{"rows":{},"spec":"{}","release":"{}","order":"verdict","sample":"{}/{}",{})"
                  R"("features":[{}],"columns":[{}],"labels":[{}]}})"
                  "\n",
                  rows_, plan_.fingerprint(), release, options_.sample.keep, options_.sample.of,
                  hashes, names, columns, labels));
  out.close();
}

}  // namespace tidemark
