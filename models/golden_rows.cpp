#include "models/golden_rows.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <fstream>
#include <limits>

#include "kernels/base/failure.hpp"
#include "kernels/data/feature_matrix.hpp"
#include "models/text_reader.hpp"

namespace tidemark {
namespace {

constexpr std::size_t rows_max = 100'000;

class GoldenReader {
 public:
  explicit GoldenReader(const std::filesystem::path& file) : file_(file.string()), in_(file) {
    if (!in_) throw UsageError(fmt::format("{}: cannot be read", file_));
  }

  GoldenRows run(std::span<const std::string> names) {
    GoldenRows golden;
    golden.features = names.size();
    read_header(names);
    while (next()) {
      if (golden.count() == rows_max) fail("more than 100000 rows");
      for (std::size_t f = 0; f < names.size(); ++f) {
        const std::string_view word = field();
        golden.values.push_back(word.empty() ? std::numeric_limits<float>::quiet_NaN()
                                             : number<float>(word));
      }
      golden.scores.push_back(number<double>(field()));
      if (!rest_.empty()) fail("more fields than the header has");
    }
    if (golden.count() == 0) fail("no rows");
    return golden;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw UsageError(fmt::format("{}:{}: {}", file_, line_number_, what));
  }

  bool next() {
    ++line_number_;
    if (!std::getline(in_, line_)) return false;
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    rest_ = line_;
    ended_ = false;
    return true;
  }

  std::string_view field() {
    if (ended_) fail("fewer fields than the header has");
    const std::size_t comma = rest_.find(',');
    const std::string_view word = rest_.substr(0, comma);
    ended_ = comma == std::string_view::npos;
    rest_.remove_prefix(ended_ ? rest_.size() : comma + 1);
    return word;
  }

  template <typename Number>
  Number number(std::string_view word) const {
    Number value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) {
      fail(fmt::format("'{}' is not a number", shown(word)));
    }
    return value;
  }

  void read_header(std::span<const std::string> names) {
    if (!next()) fail("the file is empty");
    for (const std::string& name : names) {
      const std::string_view word = field();
      if (word != name) {
        fail(fmt::format("'{}' where the model has '{}'", shown(word), shown(name)));
      }
    }
    if (field() != "raw_score" || !rest_.empty()) fail("the last column must be raw_score");
  }

  const std::string file_;
  std::ifstream in_;
  std::string line_;
  std::string_view rest_;
  bool ended_ = false;
  std::size_t line_number_ = 0;
};

}  // namespace

GoldenRows load_golden_rows(const std::filesystem::path& file, std::span<const std::string> names) {
  return GoldenReader(file).run(names);
}

void check_golden_rows(const GoldenRows& golden, ForestScorer& scorer,
                       std::span<const std::int32_t> columns, std::size_t width,
                       std::string_view model) {
  if (golden.count() == 0) return;
  FeatureMatrix matrix;
  matrix.resize(golden.count(), width);
  for (std::size_t r = 0; r < golden.count(); ++r) {
    const std::span<float> row = matrix.row(r);
    std::fill(row.begin(), row.end(), std::numeric_limits<float>::quiet_NaN());
    for (std::size_t f = 0; f < golden.features; ++f) {
      row[static_cast<std::size_t>(columns[f])] = golden.values[r * golden.features + f];
    }
  }
  std::vector<double> scores(golden.count());
  ThreadPool pool(1);
  scorer.score(matrix.view(), scores, pool);
  for (std::size_t r = 0; r < golden.count(); ++r) {
    if (std::bit_cast<std::uint64_t>(scores[r]) == std::bit_cast<std::uint64_t>(golden.scores[r])) {
      continue;
    }
    throw UsageError(
        fmt::format("{}: golden row {} scores {:.17g}, the trainer gave {:.17g}: this build or "
                    "machine computes "
                    "other scores, or the rows belong to another model",
                    model, r + 1, scores[r], golden.scores[r]));
  }
}

}  // namespace tidemark
