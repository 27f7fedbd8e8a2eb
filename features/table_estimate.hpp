// Tables of peers and seasons from rows: what was usual among merchants of one industry and region,
// and what each month of the year is to the year. The same rows give the same bytes. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "kernels/data/event_batch.hpp"

namespace tidemark {

struct EstimateOptions {
  int days = 30;                  // peers are merchants with a row in so many last days ...
  std::size_t merchants_min = 5;  // ... and fewer of them make no line
};

/// A feature that tables are made of.
struct EstimatedFeature {
  std::string name;
  bool is_money = false;  // then peers share a currency
};

/// A row of a merchant, with its profile as of then.
struct EstimateRow {
  std::uint32_t merchant = 0;         // numbered from 0 without gaps
  std::int32_t day = 0;               // of the merchant's clock; never falls for a merchant
  std::string_view industry, region;  // empty: of no group
  CurrencyCode currency = 0;          // 0: its money is nobody's peer
  std::span<const float> values;      // by feature, NaN = missing
};

class TableEstimate {
 public:
  TableEstimate(std::vector<EstimatedFeature> features, EstimateOptions options);

  /// The next row in the order of verdicts.
  void add(const EstimateRow& row);
  /// The last day of any row; the tables hold from the one after it.
  std::int32_t last_day() const { return last_day_; }

  /// Lines of peers.csv: over the last row of each merchant, its mean, the population's sigma and
  /// how many there were, by feature, industry, region and currency.
  std::string peers() const;
  /// Lines of seasons.csv: by feature and industry the mean of each month of the year over the mean
  /// of the twelve. A month of a merchant counts once, a month of a year too, and an industry that
  /// lacks one of the twelve has no lines.
  std::string seasons() const;

 private:
  struct Mean {
    double sum = 0;
    std::uint64_t count = 0;
    void add(double value) { sum += value, ++count; }
    double value() const { return sum / static_cast<double>(count); }
  };
  using Months = std::map<std::int32_t, std::vector<Mean>>;  // by month and feature
  struct Merchant {
    bool known = false;
    std::int32_t day = 0;
    std::string industry, region;
    CurrencyCode currency = 0;
    std::vector<float> values;  // of its last row
    std::int32_t month = 0;
    std::string month_industry;
    std::vector<Mean> means;  // of its rows of that month
  };
  static void close_month(const Merchant& merchant, std::map<std::string, Months>& industries);

  std::vector<EstimatedFeature> features_;
  EstimateOptions options_;
  std::vector<std::size_t> by_name_;  // features, sorted
  std::vector<Merchant> merchants_;
  std::map<std::string, Months> industries_;
  std::int32_t last_day_ = INT32_MIN;
};

}  // namespace tidemark
