// The scene: tables, and the merchants drawn over them.
#include "tools/generate/scene.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tools/generate/random.hpp"

namespace tidemark {
namespace {

using Hours = std::array<std::uint8_t, 24>;
constexpr Hours shop_hours = {0,  0, 0, 0, 0, 0,  1,  2,  5, 8, 10, 11,
                              10, 8, 8, 8, 9, 11, 12, 10, 7, 4, 1,  0};
constexpr Hours meal_hours = {1,  0, 0, 0, 0, 1,  3,  6,  4, 3, 4, 14,
                              18, 9, 3, 3, 5, 12, 18, 14, 9, 5, 3, 2};
constexpr Hours online_hours = {5, 3, 2, 1, 1, 1, 2, 4,  6,  8,  9,  9,
                                8, 8, 8, 8, 8, 8, 9, 11, 13, 13, 11, 8};
constexpr Hours office_hours = {0, 0, 0,  0,  0,  0, 0, 1, 6, 12, 13, 10,
                                5, 9, 12, 12, 10, 6, 2, 1, 0, 0,  0,  0};

constexpr std::array<double, 12> flat = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
constexpr std::array<double, 12> gifts = {0.95, 0.8,  0.9, 0.95, 1,   1,
                                          0.95, 0.95, 1,   1.05, 1.2, 1.5};
constexpr std::array<double, 12> summer = {0.6, 0.65, 0.75, 0.9,  1.1, 1.3,
                                           1.6, 1.6,  1.2,  0.95, 0.7, 0.65};
constexpr std::array<double, 12> building = {0.6,  0.65, 0.95, 1.1, 1.2,  1.2,
                                             1.15, 1.1,  1.15, 1.1, 0.95, 0.75};
constexpr std::array<double, 12> colds = {1.25, 1.2, 1.1,  1, 0.9, 0.85,
                                          0.8,  0.8, 0.95, 1, 1.1, 1.2};

constexpr std::array<double, 7> evenly = {1, 1, 1, 1, 1, 1, 1};
constexpr std::array<double, 7> weekends = {0.85, 0.82, 0.85, 0.9, 1.1, 1.3, 1.18};
constexpr std::array<double, 7> workdays = {1.3, 1.3, 1.3, 1.3, 1.25, 0.4, 0.15};

constexpr std::array<Industry, 10> industries = {{
    {"grocery", 0.20, 38, 0.7, 0.004, 0.0001, 0.10, 0.02, gifts, weekends, shop_hours},
    {"restaurant", 0.20, 62, 0.6, 0.003, 0.0001, 0.15, 0.01, flat, weekends, meal_hours},
    {"fashion", 0.12, 210, 0.8, 0.060, 0.0008, 0.35, 0.02, gifts, weekends, shop_hours},
    {"electronics", 0.08, 640, 1.0, 0.030, 0.0012, 0.40, 0.10, gifts, weekends, shop_hours},
    {"online_retail", 0.10, 120, 0.9, 0.050, 0.0020, 1.00, 0.02, gifts, evenly, online_hours},
    {"pharmacy", 0.07, 55, 0.7, 0.006, 0.0002, 0.10, 0.05, colds, evenly, shop_hours},
    {"travel", 0.06, 480, 0.9, 0.050, 0.0020, 0.70, 0.05, summer, weekends, online_hours},
    {"services", 0.08, 150, 0.8, 0.008, 0.0003, 0.20, 0.30, flat, workdays, office_hours},
    {"wholesale", 0.05, 900, 0.9, 0.010, 0.0002, 0.10, 1.20, flat, workdays, office_hours},
    {"construction", 0.04, 1500, 1.0, 0.006, 0.0002, 0.05, 0.80, building, workdays, office_hours},
}};

constexpr std::array<Place, 5> places = {{
    {"Asia/Shanghai", "CNY", 2, 8 * 3600, 1.0, 0.82, {"Zhejiang", "Guangdong", "Sichuan"}},
    {"Europe/Berlin", "EUR", 2, 1 * 3600, 0.13, 0.07, {"Berlin", "Bayern", "Hessen"}},
    {"America/New_York", "USD", 2, -5 * 3600, 0.14, 0.06, {"New York", "Ohio", "Florida"}},
    {"Asia/Tokyo", "JPY", 0, 9 * 3600, 20.0, 0.03, {"Tokyo", "Osaka", "Hokkaido"}},
    {"Asia/Kuwait", "KWD", 3, 3 * 3600, 0.043, 0.02, {"Hawalli", "Jahra", "Ahmadi"}},
}};

template <typename Table>
const auto& pick(const Table& table, double u) {
  for (const auto& entry : table) {
    if (u < entry.share) return entry;
    u -= entry.share;
  }
  return table.front();
}

void draw_fate(Merchant& m, Random& random, std::int32_t days) {
  const double u = random.uniform();
  const std::int32_t when = static_cast<std::int32_t>(days * random.uniform(0.2, 0.85));
  if (u < 0.06) {
    m.fate = Fate::collapses;
    m.fate_day = when;
    m.fate_days = static_cast<std::int32_t>(random.between(10, 24));
    m.default_day = when + static_cast<std::int32_t>(random.between(18, 45));
  } else if (u < 0.10) {
    m.fate = Fate::dips;
    m.fate_day = when;
    m.fate_days = static_cast<std::int32_t>(random.between(5, 18));
  } else if (u < 0.107) {
    m.default_day = when;  // nobody's takings told this one
  }
  if (m.default_day < 0 && random.chance(0.35)) {
    m.repaid_day = static_cast<std::int32_t>(days * random.uniform(0.1, 1.0));
  }
}

Merchant draw_merchant(const GenerateOptions& options, std::uint32_t index, double weight) {
  Random random(options.seed, 0x6d65726368616e74u, index);
  Merchant m;
  m.industry = &pick(industries, random.uniform());
  m.place = &pick(places, random.uniform());
  m.region = m.place->regions[random.below(m.place->regions.size())];
  m.payments_per_day = options.events_per_day * weight;
  double minor = m.place->price;
  for (int i = 0; i < m.place->exponent; ++i) minor *= 10;
  m.ticket_log = portable_log(m.industry->ticket_major * minor) + 0.4 * random.normal();
  m.drift_per_day = random.uniform(-0.5, 0.7) / 365;
  m.invoices_per_day = m.industry->invoices_per_day * random.uniform(0.3, 1.7);
  m.opened_day = -static_cast<std::int32_t>(random.between(30, 12 * 365));
  if (random.chance(0.08)) {
    m.opened_day = static_cast<std::int32_t>(options.days * random.uniform(0, 0.7));
  }
  m.payers = static_cast<std::uint32_t>(30 + m.payments_per_day * random.uniform(5, 40));
  m.buyers = static_cast<std::uint32_t>(random.between(4, 40));
  const std::uint64_t style = random.below(10);
  m.time_style = style < 7 ? TimeStyle::utc : style < 9 ? TimeStyle::local : TimeStyle::epoch;
  m.has_power_meter = random.chance(0.3);
  m.paid_out_weekly = m.payments_per_day < 3 || random.chance(0.2);
  m.certified = !random.chance(0.05);
  draw_fate(m, random, options.days);
  if (m.opened_day >= m.fate_day - 20) {  // too young to have a fate
    m.fate = Fate::steady;
    m.default_day = -1;
  }
  return m;
}

}  // namespace

std::vector<Merchant> make_merchants(const GenerateOptions& options) {
  // Zipf with exponent 0.9: rank r gets r^-0.9. The ranks are dealt out by a shuffle of the seed.
  std::vector<std::uint32_t> ranks(options.merchants);
  for (std::uint32_t i = 0; i < options.merchants; ++i) ranks[i] = i;
  Random shuffle(options.seed, 0x7a697066u, 0);
  for (std::uint32_t i = options.merchants; i > 1; --i) {
    std::swap(ranks[i - 1], ranks[shuffle.below(i)]);
  }
  std::vector<double> weights(options.merchants);
  double sum = 0;
  for (std::uint32_t rank = 0; rank < options.merchants; ++rank) {
    weights[rank] = portable_exp(-0.9 * portable_log(rank + 1.0));
    sum += weights[rank];
  }
  std::vector<Merchant> merchants;
  merchants.reserve(options.merchants);
  for (std::uint32_t i = 0; i < options.merchants; ++i) {
    merchants.push_back(draw_merchant(options, i, weights[ranks[i]] / sum * options.merchants));
  }
  return merchants;
}

double trade_level(const GenerateOptions& options, const Merchant& m, std::int32_t day) {
  if (day < m.opened_day) return 0;
  using namespace std::chrono;
  const sys_days date{days{options.start_day + day}};
  const unsigned month = static_cast<unsigned>(year_month_day{date}.month()) - 1;
  const unsigned weekday_index = weekday{date}.iso_encoding() - 1;
  double level =
      m.payments_per_day * m.industry->months[month] * m.industry->weekdays[weekday_index];
  level *= portable_exp(m.drift_per_day * day);
  // A new shop needs three weeks to be known.
  if (m.opened_day > 0) level *= std::min(1.0, 0.3 + (day - m.opened_day) / 30.0);
  const double since = day - m.fate_day;
  if (m.fate == Fate::dips && since >= 0 && since < m.fate_days) level *= 0.12;
  if (m.fate == Fate::collapses) {
    if (since >= -21 && since < 0) level *= 1 - 0.2 * (since + 21) / 21;
    if (since >= 0) level *= std::max(0.04, 0.8 * (1 - since / m.fate_days));
  }
  return level;
}

}  // namespace tidemark
