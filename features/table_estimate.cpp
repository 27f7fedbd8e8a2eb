// See table_estimate.hpp.
#include "features/table_estimate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "features/spec_tables.hpp"
#include "features/table_file.hpp"
#include "kernels/base/civil_time.hpp"
#include "kernels/base/currency.hpp"

namespace tidemark {

TableEstimate::TableEstimate(std::vector<EstimatedFeature> features, EstimateOptions options)
    : features_(std::move(features)), options_(options), by_name_(features_.size()) {
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::ranges::sort(by_name_, {}, [&](std::size_t f) { return features_[f].name; });
}

void TableEstimate::close_month(const Merchant& merchant,
                                std::map<std::string, Months>& industries) {
  if (merchant.month_industry.empty()) return;
  std::vector<Mean>& means = industries[merchant.month_industry][merchant.month];
  means.resize(merchant.means.size());
  for (std::size_t f = 0; f < means.size(); ++f) {
    if (merchant.means[f].count > 0) means[f].add(merchant.means[f].value());
  }
}

void TableEstimate::add(const EstimateRow& row) {
  if (row.merchant >= merchants_.size()) merchants_.resize(row.merchant + 1);
  Merchant& merchant = merchants_[row.merchant];
  last_day_ = std::max(last_day_, row.day);
  const std::int32_t month = month_of_day(row.day);
  if (!merchant.known || month != merchant.month || row.industry != merchant.month_industry) {
    if (merchant.known) close_month(merchant, industries_);
    merchant.month = month;
    merchant.month_industry = row.industry;
    merchant.means.assign(features_.size(), {});
  }
  for (std::size_t f = 0; f < features_.size(); ++f) {
    if (!std::isnan(row.values[f])) merchant.means[f].add(static_cast<double>(row.values[f]));
  }
  merchant.known = true;
  merchant.day = row.day;
  merchant.industry = row.industry;
  merchant.region = row.region;
  merchant.currency = row.currency;
  merchant.values.assign(row.values.begin(), row.values.end());
}

std::string TableEstimate::peers() const {
  std::string lines;
  const std::string as_of = day_text(last_day_ + 1);
  for (const std::size_t f : by_name_) {
    const EstimatedFeature& feature = features_[f];
    std::map<std::tuple<std::string, std::string, std::string>, std::vector<double>> groups;
    for (const Merchant& merchant : merchants_) {
      if (!merchant.known || merchant.industry.empty() || merchant.region.empty()) continue;
      if (merchant.day <= last_day_ - options_.days || std::isnan(merchant.values[f])) continue;
      if (feature.is_money && merchant.currency == 0) continue;
      const std::string currency = feature.is_money ? currency_letters(merchant.currency) : "";
      groups[{merchant.industry, merchant.region, currency}].push_back(
          static_cast<double>(merchant.values[f]));
    }
    for (const auto& [group, values] : groups) {
      if (values.size() < options_.merchants_min) continue;
      const auto& [industry, region, currency] = group;
      const double count = static_cast<double>(values.size());
      double sum = 0, squares = 0;
      for (const double value : values) sum += value;
      for (const double value : values) squares += (value - sum / count) * (value - sum / count);
      lines += fmt::format("{},{},{},{},{},{},{},{}\n", as_of, feature.name, table_field(industry),
                           table_field(region), currency, sum / count, std::sqrt(squares / count),
                           values.size());
    }
  }
  return lines;
}

std::string TableEstimate::seasons() const {
  std::map<std::string, Months> industries = industries_;
  for (const Merchant& merchant : merchants_) {
    if (merchant.known) close_month(merchant, industries);
  }
  std::string lines;
  const std::string as_of = day_text(last_day_ + 1);
  for (const std::size_t f : by_name_) {
    for (const auto& [industry, months] : industries) {
      std::vector<Mean> year(12);
      for (const auto& [month, means] : months) {
        if (means[f].count == 0) continue;
        const std::int64_t of_year = month - floor_div(month, 12) * 12;
        year[static_cast<std::size_t>(of_year)].add(means[f].value());
      }
      if (std::ranges::any_of(year, [](const Mean& mean) { return mean.count == 0; })) continue;
      double all = 0;
      for (const Mean& mean : year) all += mean.value();
      for (std::size_t month = 0; month < year.size(); ++month) {
        const double factor = year[month].value() / (all / 12);
        if (!(factor >= season_factor_min && factor <= season_factor_max)) continue;
        lines += fmt::format("{},{},{},{},{}\n", as_of, features_[f].name, table_field(industry),
                             month + 1, factor);
      }
    }
  }
  return lines;
}

}  // namespace tidemark
