// The engine's working memory, kept from batch to batch so that a steady stream allocates nothing.
// Private to engine.cpp and engine_sweep.cpp.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/data/decision.hpp"
#include "kernels/data/feature_matrix.hpp"
#include "models/policy.hpp"
#include "stream/pipeline/engine.hpp"

namespace tidemark {

struct Engine::Scratch {
  /// What one worker writes; limits and alerts are rare and meet again in row order.
  struct Worker {
    PolicyScratch policy;
    std::vector<LimitDecision> limits;
    std::vector<AlertDecision> alerts;
  };

  EventBatch rows;
  std::vector<std::uint32_t> matrix_row;  // [row], UINT32_MAX = not scored
  Segments segments;
  FeatureMatrix matrix;
  std::vector<double> fraud, credit;  // [matrix row], after the link
  std::vector<Worker> workers;
  DecisionBatch decisions;
  std::vector<std::uint32_t> slots;   // of a sweep
  std::vector<std::uint8_t> changed;  // of a sweep's chunk: the decision state moved

  /// Brings the workers' limits and alerts together, by row: a merchant's own stay in order, as all
  /// its rows went to one worker.
  void collect_rare_decisions() {
    const auto collect = [this](auto Worker::*from, auto& into) {
      into.clear();
      for (Worker& worker : workers) {
        into.insert(into.end(), (worker.*from).begin(), (worker.*from).end());
        (worker.*from).clear();
      }
      std::stable_sort(into.begin(), into.end(),
                       [](const auto& a, const auto& b) { return a.row < b.row; });
    };
    collect(&Worker::limits, decisions.limits);
    collect(&Worker::alerts, decisions.alerts);
  }
};

}  // namespace tidemark
