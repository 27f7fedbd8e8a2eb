#include "kernels/forest/linear_scorer.hpp"

#include <string>
#include <utility>
#include <vector>

namespace tidemark {
namespace {

class LinearScorer final : public ForestScorer {
 public:
  LinearScorer(std::unique_ptr<ForestScorer> trees, std::span<const LinearTerm> terms,
               std::span<const std::int32_t> columns)
      : trees_(std::move(trees)), terms_(terms.begin(), terms.end()) {
    for (LinearTerm& term : terms_) term.feature = columns[static_cast<std::size_t>(term.feature)];
    name_ = std::to_string(terms_.size()) + " linear terms on " + std::string(trees_->kernel());
  }

  void score(FeatureMatrixView rows, std::span<double> out, ThreadPool& pool) override {
    trees_->score(rows, out, pool);
    for (std::size_t r = 0; r < rows.rows; ++r) {
      for (const LinearTerm& term : terms_) out[r] += linear_term(term, rows.row(r)[term.feature]);
    }
  }
  void leaves(FeatureMatrixView rows, std::span<std::int32_t> out, ThreadPool& pool) override {
    trees_->leaves(rows, out, pool);
  }
  std::string_view kernel() const override { return name_; }
  std::string why() const override { return trees_->why(); }
  std::string_view isa() const override { return trees_->isa(); }
  std::size_t bytes() const override {
    return trees_->bytes() + terms_.size() * sizeof(LinearTerm);
  }

 private:
  const std::unique_ptr<ForestScorer> trees_;
  std::vector<LinearTerm> terms_;  // `feature` is a matrix column here
  std::string name_;
};

}  // namespace

std::unique_ptr<ForestScorer> add_linear_terms(std::unique_ptr<ForestScorer> trees,
                                               std::span<const LinearTerm> terms,
                                               std::span<const std::int32_t> columns) {
  return std::make_unique<LinearScorer>(std::move(trees), terms, columns);
}

}  // namespace tidemark
