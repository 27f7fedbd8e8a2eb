// The recursion walks the row and the reference down a tree together. Where both go the same way
// there is one branch. Where they part, both branches are followed, once per column: below the
// row's branch that column stays the row's, below the other it stays the reference's. A leaf of
// value v reached with a columns on the row's side and b on the reference's is the game "v if all a
// are in and none of b", whose Shapley values are v (a-1)! b! / (a+b)! for each of the a and -v a!
// (b-1)! / (a+b)! for each of the b. Each call returns the two sums of weighted leaves below it, so
// a column is paid where its two branches meet again.
#include "models/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/base/failure.hpp"
#include "kernels/forest/forest_body.hpp"

namespace tidemark {
namespace {

/// Bounds the table of weights (16 MiB) and the depth of the recursion. Up to it the smallest
/// weight is still a normal double.
constexpr int path_columns_max = 1000;

enum Side : std::uint8_t { undecided, row_side, reference_side };

/// Sums over the leaves below: with the weight of a column on the row's side, and on the other.
struct Paid {
  double row = 0, reference = 0;
};

/// row[a][b] = (a-1)! b! / (a+b)!, reference[a][b] = a! (b-1)! / (a+b)!.
struct Weights {
  std::size_t size = 0;  // of either side of the tables
  std::vector<double> row, reference;

  /// For paths of at most `columns` different columns.
  explicit Weights(std::size_t columns)
      : size(columns + 1), row(size * size), reference(size * size) {
    for (std::size_t a = 0; a < size; ++a) {
      for (std::size_t b = 0; a + b < size; ++b) {
        // 1 / (a C(a+b, a)): the binomial grows by exact ratios and stays a double.
        double ways = 1;
        for (std::size_t i = 1; i <= b; ++i) {
          ways = ways * static_cast<double>(a + i) / static_cast<double>(i);
        }
        if (a > 0) row[a * size + b] = 1.0 / (static_cast<double>(a) * ways);
        if (b > 0) reference[a * size + b] = 1.0 / (static_cast<double>(b) * ways);
      }
    }
  }
};

/// Different columns on the path that has most of them: no descent can part more often.
int most_columns_on_a_path(const ForestImage& image, std::size_t matrix_columns) {
  std::vector<std::int32_t> times(matrix_columns);
  struct Visit {
    std::int32_t node;
    bool leaving;
  };
  std::vector<Visit> open;
  int now = 0, most = 0;
  for (const ForestImageTree& tree : image.trees) {
    if (tree.root >= 0) open.push_back({tree.root, false});
    while (!open.empty()) {
      const Visit at = open.back();
      open.pop_back();
      const ForestImageNode& node = image.nodes[static_cast<std::size_t>(at.node)];
      std::int32_t& count = times[node.column_flags & node_column_mask];
      if (at.leaving) {
        if (--count == 0) --now;
        continue;
      }
      if (count++ == 0) most = std::max(most, ++now);
      open.push_back({at.node, true});
      for (const std::int32_t child : node.child) {
        if (child >= 0) open.push_back({child, false});
      }
    }
  }
  return most;
}

}  // namespace

struct Explainer::Impl {
  struct Reference {
    std::vector<std::uint8_t> child;  // that it takes, per node
    std::vector<float> row;
  };

  ForestImage image;
  std::vector<Reference> references;
  std::vector<double> baseline;
  std::vector<LinearTerm> linear;  // `feature` is a matrix column here
  std::size_t matrix_columns = 0;
  Weights weight{0};
  mutable std::atomic<std::uint64_t> explained{0}, compared{0};
  mutable std::atomic<double> error_max{0};

  /// One descent into one tree.
  struct Walk {
    const Impl& impl;
    const Reference& reference;
    ForestImageView view;
    const float* row;
    double* phi;          // of the tree's output
    std::uint8_t* taken;  // per column
    const double* leaves;

    Paid visit(std::int32_t at, std::uint32_t a, std::uint32_t b) const {
      while (at >= 0) {
        const ForestImageNode& node = view.nodes[at];
        const std::uint32_t column = node.column_flags & node_column_mask;
        const int by_reference = reference.child[static_cast<std::size_t>(at)];
        const int by_row = goes_left(view, node, row[column]) ? 0 : 1;
        if (by_row == by_reference) {
          at = node.child[by_row];
        } else if (taken[column] == row_side) {
          at = node.child[by_row];
        } else if (taken[column] == reference_side) {
          at = node.child[by_reference];
        } else {
          return part(node, column, by_row, a, b);
        }
      }
      const double value = leaves[~at];
      const std::size_t cell = a * impl.weight.size + b;
      return {value * impl.weight.row[cell], value * impl.weight.reference[cell]};
    }

    Paid part(const ForestImageNode& node, std::uint32_t column, int by_row, std::uint32_t a,
              std::uint32_t b) const {
      taken[column] = row_side;
      const Paid with = visit(node.child[by_row], a + 1, b);
      taken[column] = reference_side;
      const Paid without = visit(node.child[1 - by_row], a, b + 1);
      taken[column] = undecided;
      phi[column] += with.row - without.reference;
      return {with.row + without.row, with.reference + without.reference};
    }
  };

  /// The raw scores of a row in float64, which are what values add up to.
  void exact_scores(const float* row, double* out) const {
    ForestImageView exact = image.view();
    exact.sum = SumKind::float64;
    score_row(exact, row, out);
    for (const LinearTerm& term : linear) out[0] += linear_term(term, row[term.feature]);
  }

  void compare(const float* row, std::span<const double> phi) const {
    std::vector<double> scores(baseline.size());
    exact_scores(row, scores.data());
    for (std::size_t o = 0; o < scores.size(); ++o) {
      const auto values = phi.subspan(o * matrix_columns, matrix_columns);
      const double sum = std::accumulate(values.begin(), values.end(), baseline[o]);
      const double error = std::fabs(sum - scores[o]) / std::max(1.0, std::fabs(scores[o]));
      double most = error_max.load(std::memory_order_relaxed);
      while (error > most && !error_max.compare_exchange_weak(most, error)) {
      }
    }
    compared.fetch_add(1, std::memory_order_relaxed);
  }

  /// Adds the values against one reference.
  void explain(const Reference& reference, const float* row, double* phi,
               std::uint8_t* taken) const {
    const ForestImageView view = image.view();
    for (const ForestImageTree& tree : image.trees) {
      double* of_output = phi + static_cast<std::size_t>(tree.output) * matrix_columns;
      const Walk walk{
          *this, reference, view, row, of_output, taken, view.leaf_values + tree.leaf_begin};
      walk.visit(tree.root, 0, 0);
    }
    for (const LinearTerm& term : linear) {
      const auto column = static_cast<std::size_t>(term.feature);
      phi[column] += linear_term(term, row[column]) - linear_term(term, reference.row[column]);
    }
  }
};

Explainer::Explainer(const Forest& forest, std::span<const std::int32_t> columns,
                     std::span<const float> baseline_rows, std::size_t references) {
  auto impl = std::make_unique<Impl>();
  impl->image = make_forest_image(forest, columns);
  impl->matrix_columns = baseline_rows.size() / references;
  for (const std::int32_t column : columns) {
    if (static_cast<std::size_t>(column) >= impl->matrix_columns) {
      throw UsageError(fmt::format("the reference row has {} columns, the model needs column {}",
                                   impl->matrix_columns, column));
    }
  }
  for (LinearTerm term : forest.linear) {
    term.feature = columns[static_cast<std::size_t>(term.feature)];
    impl->linear.push_back(term);
  }
  const int most = most_columns_on_a_path(impl->image, impl->matrix_columns);
  if (most > path_columns_max) {
    throw UsageError(fmt::format("a tree with more than {} columns on one path cannot be explained",
                                 path_columns_max));
  }
  impl->weight = Weights(static_cast<std::size_t>(most));
  const ForestImageView view = impl->image.view();
  impl->baseline.resize(static_cast<std::size_t>(forest.outputs));
  std::vector<double> scores(impl->baseline.size());
  for (std::size_t r = 0; r < references; ++r) {
    const auto row = baseline_rows.subspan(r * impl->matrix_columns, impl->matrix_columns);
    Impl::Reference& reference = impl->references.emplace_back();
    reference.row.assign(row.begin(), row.end());
    for (const ForestImageNode& node : impl->image.nodes) {
      const float value = row[node.column_flags & node_column_mask];
      reference.child.push_back(goes_left(view, node, value) ? 0 : 1);
    }
    impl->exact_scores(row.data(), scores.data());
    for (std::size_t o = 0; o < scores.size(); ++o) impl->baseline[o] += scores[o];
  }
  for (double& score : impl->baseline) score /= static_cast<double>(references);
  impl_ = std::move(impl);
}

Explainer::~Explainer() = default;
Explainer::Explainer(Explainer&&) noexcept = default;
Explainer& Explainer::operator=(Explainer&&) noexcept = default;

void Explainer::explain(std::span<const float> row, std::span<double> phi,
                        ExplainScratch& scratch) const {
  std::fill(phi.begin(), phi.end(), 0.0);
  // Every column is undecided again when a tree is done, so the scratch is cleared only once.
  if (scratch.taken.size() < impl_->matrix_columns) scratch.taken.assign(impl_->matrix_columns, 0);
  for (const Impl::Reference& reference : impl_->references) {
    impl_->explain(reference, row.data(), phi.data(), scratch.taken.data());
  }
  if (impl_->references.size() > 1) {
    for (double& value : phi) value /= static_cast<double>(impl_->references.size());
  }
  const std::uint64_t before = impl_->explained.fetch_add(1, std::memory_order_relaxed);
  if (before % sampled_every == 0) impl_->compare(row.data(), phi);
}

Additivity Explainer::additivity() const {
  return {impl_->compared.load(std::memory_order_relaxed),
          impl_->error_max.load(std::memory_order_relaxed)};
}

void Explainer::explain(std::span<const float> row, std::span<double> phi) const {
  thread_local ExplainScratch scratch;
  explain(row, phi, scratch);
}

double Explainer::baseline_score(std::int32_t output) const {
  return impl_->baseline[static_cast<std::size_t>(output)];
}

std::int32_t Explainer::outputs() const {
  return static_cast<std::int32_t>(impl_->baseline.size());
}

}  // namespace tidemark
