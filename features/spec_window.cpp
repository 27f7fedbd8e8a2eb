// See spec_window.hpp.
#include "features/spec_window.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/base/civil_time.hpp"

namespace tidemark {
namespace {

struct Unit {
  Tier tier;
  int minutes;  // 0: calendar months
};
constexpr std::array<std::pair<std::string_view, Unit>, 5> window_units = {{
    {"min", {Tier::minute, 1}},
    {"h", {Tier::hour, 60}},
    {"d", {Tier::day, 1'440}},
    {"w", {Tier::week, 10'080}},
    {"mo", {Tier::month, 0}},
}};
constexpr std::array<int, tier_count> tier_minutes = {1, 60, 1'440, 10'080, 0};

struct Span {
  int count = 0;
  Unit unit{Tier::day, 0};
};

Span read_span(const YamlMap& map, const std::string& key, const std::string& text) {
  Span span;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), span.count);
  const std::string_view name(end, text.data() + text.size());
  const auto unit = std::find_if(window_units.begin(), window_units.end(),
                                 [&](const auto& known) { return known.first == name; });
  if (error != std::errc() || unit == window_units.end() || span.count < 0 ||
      span.count > 100'000) {
    map.fail(key, "'" + text + "' is no time span like 30min, 24h, 7d, 8w or 12mo");
  }
  span.unit = unit->second;
  return span;
}

}  // namespace

void read_delay_days(YamlMap& map, Feature& feature) {
  const std::string text = map.text("delay");
  const Span span = read_span(map, "delay", text);
  if (span.unit.minutes < tier_minutes[2] || span.count > 1'000) {
    map.fail("delay", "'" + text + "' is not up to 1000d or 1000w");
  }
  feature.delay = span.count * span.unit.minutes / tier_minutes[2];
}

void read_maturity(YamlMap& map, Feature& feature) {
  const Span span = read_span(map, "matures", map.text("matures"));
  if (span.unit.minutes == 0) map.fail("matures", "months differ in length: use d or w");
  feature.matures_ms = static_cast<std::int64_t>(span.count) * span.unit.minutes * ms_per_minute;
}

void read_half_life(YamlMap& map, Feature& feature) {
  const std::string text = map.text("half_life");
  const Span span = read_span(map, "half_life", text);
  if (span.unit.tier == Tier::month) map.fail("half_life", "months differ in length: use d or w");
  if (span.count < 1 || span.count > ring_buckets_max) {
    map.fail("half_life",
             "'" + text + "' is not 1 to " + std::to_string(ring_buckets_max) + " of its unit");
  }
  feature.tier = span.unit.tier;
  feature.length = span.count;
}

// Short windows in hours are kept in minutes, so that 1h is the current minute and the 59 before.
void read_feature_window(YamlMap& map, const std::string& of_family, Feature& feature) {
  const std::string text = of_family.empty() ? map.text("window") : of_family;
  const Span window = read_span(map, of_family.empty() ? "window" : "windows", text);
  feature.tier = window.unit.tier;
  feature.length = window.count;
  if (window.unit.tier == Tier::hour && window.count <= 2) {
    feature.tier = Tier::minute;
    feature.length = window.count * 60;
  }
  if (feature.length < 1) map.fail("window", "a window has at least one bucket");
  if (map.has("delay")) {
    const std::string by = map.text("delay");
    const Span delay = read_span(map, "delay", by == "{window}" ? text : by);
    const int bucket = tier_minutes[static_cast<std::size_t>(feature.tier)];
    if ((bucket == 0) != (delay.unit.minutes == 0)) {
      map.fail("delay", "months can only be delayed by months, and others not by months");
    }
    const long long minutes = static_cast<long long>(delay.count) * delay.unit.minutes;
    if (bucket != 0 && minutes % bucket != 0) {
      map.fail("delay", "is not a whole number of this window's buckets");
    }
    const long long buckets = bucket == 0 ? delay.count : minutes / bucket;
    feature.delay = static_cast<int>(std::min<long long>(buckets, 1'000'000));
  }
  if (feature.length + feature.delay > ring_buckets_max) {
    map.fail("window", "window and delay take " + std::to_string(feature.length + feature.delay) +
                           " buckets, a ring holds " + std::to_string(ring_buckets_max) +
                           ": use a larger unit");
  }
}

}  // namespace tidemark
