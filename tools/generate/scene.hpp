// The scene: industries, places and the merchants in them, drawn from a seed. Made once, then only
// the merchants' balances change. Knows no events.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

struct GenerateOptions {
  std::uint32_t merchants = 1000;
  std::int32_t days = 90;
  std::uint64_t seed = 1;
  std::int64_t start_day = 20089;  // days since 1970: 2025-01-01
  double events_per_day = 12;      // payments, mean over merchants
  double bad_share = 0.0005;       // malformed lines, added beside the good ones
  std::string out;                 // folder
};

/// How an industry trades. Tables are factors around 1; hours are weights.
struct Industry {
  std::string_view name;
  double share;                       // of merchants
  double ticket_major, ticket_sigma;  // median in CNY, deviation of the logarithm
  double refund_share, chargeback_share, online_share;
  double invoices_per_day;  // of a merchant of mean size
  std::array<double, 12> months;
  std::array<double, 7> weekdays;  // from Monday
  std::array<std::uint8_t, 24> hours;
};

/// A time zone with one currency. The offset is the standard one: summer time moves trade by an
/// hour, as it does for people.
struct Place {
  std::string_view zone, currency;
  int exponent;
  std::int32_t offset_s;
  double price;  // of a yuan, in major units of the currency
  double share;
  std::array<std::string_view, 3> regions;
};

enum class Fate : std::uint8_t { steady, dips, collapses };
enum class TimeStyle : std::uint8_t { utc, local, epoch };

struct Merchant {
  const Industry* industry = nullptr;
  const Place* place = nullptr;
  std::string_view region;
  double payments_per_day = 0;
  double ticket_log = 0;     // logarithm of the median ticket in minor units
  double drift_per_day = 0;  // growth or decline, in the logarithm
  double invoices_per_day = 0;
  std::int32_t opened_day = 0;  // of the run; trade starts here when > 0
  std::int32_t fate_day = 0, fate_days = 0;
  std::int32_t default_day = -1, repaid_day = -1;  // of the run, -1 = never
  std::uint32_t payers = 0;                        // regular customers
  std::uint32_t buyers = 0;                        // of invoices
  Fate fate = Fate::steady;
  TimeStyle time_style = TimeStyle::utc;
  bool has_power_meter = false;
  bool paid_out_weekly = false;
  bool certified = true;
  std::int64_t balance_minor = 0;  // takings not yet paid out
};

/// The merchants of a run, the hottest wherever the seed puts it.
std::vector<Merchant> make_merchants(const GenerateOptions& options);

/// Expected payments of a merchant on a day of the run, all seasons and fates included.
double trade_level(const GenerateOptions& options, const Merchant& merchant, std::int32_t day);

}  // namespace tidemark
