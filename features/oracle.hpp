// The slow, obvious truth about outcomes and features: keeps every accepted event of every merchant
// and payer and recomputes each number from that list, with Abseil's calendar and no rings. Tests
// and `verify` compare the engine with it. One thread; time grows with the square of the history.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "features/merchant_table.hpp"
#include "features/plan.hpp"
#include "kernels/data/event_batch.hpp"

namespace tidemark {

struct OracleEvent;
struct OracleHistory;
struct OracleReading;

class FeatureOracle {
 public:
  /// Capacities of `options` are ignored.
  FeatureOracle(std::shared_ptr<const FeaturePlan> plan, const MerchantTableOptions& options);
  ~FeatureOracle();

  struct Row {
    Outcome outcome = Outcome::pending;
    std::vector<float> features;  // of scored rows
  };
  /// The next row in sequence order, amounts in other currencies by the lines of `rates`. A row
  /// that is no longer pending keeps its outcome. Features are read out where they are wanted: that
  /// is what takes the time.
  Row next(const EventBatch& batch, std::size_t row, const RateTable* rates = nullptr,
           bool wanted = true);
  /// A sweep's row of a merchant that has been seen.
  std::vector<float> read_out(std::string_view merchant_id, std::int64_t at_ms) const;

 private:
  Row read_scored(const OracleHistory& merchant, CurrencyCode currency, bool wanted);
  std::vector<float> read(const OracleReading& merchant, const OracleReading* payer) const;

  std::shared_ptr<const FeaturePlan> plan_;
  MerchantTableOptions options_;
  std::map<std::string, std::unique_ptr<OracleHistory>, std::less<>> merchants_;
  std::map<std::uint64_t, std::unique_ptr<OracleHistory>> payers_;
};

/// An amount in another currency: the digits multiplied as on paper. Nothing without a rate, or
/// where 64 bits do not hold it.
std::optional<std::int64_t> oracle_amount(const RateTable* rates, std::int64_t time_ms,
                                          std::int64_t amount_minor, CurrencyCode from,
                                          CurrencyCode to);

}  // namespace tidemark
