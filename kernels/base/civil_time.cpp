// Loading of zones: Abseil reads the IANA data, this file turns a zone into spans of constant
// offset and keeps every zone that was asked for. The hot path never comes here.
#include "kernels/base/civil_time.hpp"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>

namespace tidemark {
namespace {

constexpr std::size_t zones_max = 1024;            // IANA has about 600 names
constexpr std::int64_t horizon_s = 7'258'118'400;  // 2200-01-01

struct Registry {
  std::shared_mutex mutex;
  std::map<std::string, std::unique_ptr<Zone>, std::less<>> by_name;
  std::array<std::atomic<const Zone*>, zones_max> by_id{};
};

Registry& registry() {
  static Registry instance;
  return instance;
}

// Keeps the loader away from paths, from the machine's own zone and from its directories of
// variants: the same name must mean the same zone everywhere.
bool is_plain_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  if (name.empty() || name.size() > 64 || !letter(name.front())) return false;
  if (name == "localtime" || name == "posixrules" || name.starts_with("posix/") ||
      name.starts_with("right/") || name.starts_with("Fixed/")) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '-' || c == '+';
  });
}

std::int32_t offset_ms_at(const absl::TimeZone& zone, std::int64_t at_s) {
  return zone.At(absl::FromUnixSeconds(at_s)).offset * 1000;
}

struct Spans {
  std::vector<std::int64_t> from_ms;
  std::vector<std::int32_t> offset_ms;
};

// Every change of offset up to the horizon. Abseil names a transition by the local time before it,
// which minus the offset before it is the instant.
Spans spans_of(const absl::TimeZone& zone) {
  const absl::CivilSecond epoch(1970, 1, 1);
  Spans spans;
  std::int64_t at_s = ZoneView::grid_begin_ms / 1000;
  std::int32_t offset = offset_ms_at(zone, at_s);
  spans.from_ms.push_back(INT64_MIN);
  spans.offset_ms.push_back(offset);
  absl::TimeZone::CivilTransition change;
  while (zone.NextTransition(absl::FromUnixSeconds(at_s), &change)) {
    const std::int64_t instant_s = (change.from - epoch) - offset / 1000;
    if (instant_s <= at_s || instant_s >= horizon_s) break;
    at_s = instant_s;
    const std::int32_t next = offset_ms_at(zone, at_s);
    if (next != offset) {
      offset = next;
      spans.from_ms.push_back(at_s * 1000);
      spans.offset_ms.push_back(offset);
    }
  }
  return spans;
}

std::vector<std::uint16_t> grid_of(const std::vector<std::int64_t>& from_ms) {
  std::vector<std::uint16_t> grid;
  std::uint16_t span = 0;
  for (std::int64_t cell_ms = ZoneView::grid_begin_ms; cell_ms < horizon_s * 1000;
       cell_ms += std::int64_t{1} << ZoneView::cell_shift) {
    while (span + 1U < from_ms.size() && from_ms[span + 1U] <= cell_ms) ++span;
    grid.push_back(span);
  }
  return grid;
}

}  // namespace

const Zone* find_zone(std::string_view name) {
  Registry& all = registry();
  {
    const std::shared_lock lock(all.mutex);
    const auto found = all.by_name.find(name);
    if (found != all.by_name.end()) return found->second.get();
  }
  absl::TimeZone loaded;
  if (!is_plain_name(name) || !absl::LoadTimeZone(std::string(name), &loaded)) return nullptr;
  Spans spans = spans_of(loaded);
  const std::unique_lock lock(all.mutex);
  const auto found = all.by_name.find(name);
  if (found != all.by_name.end()) return found->second.get();
  if (all.by_name.size() >= zones_max) return nullptr;
  std::unique_ptr<Zone> zone(new Zone);
  zone->name_ = name;
  zone->id_ = static_cast<std::uint16_t>(all.by_name.size());
  zone->from_ms_ = std::move(spans.from_ms);
  zone->offset_ms_ = std::move(spans.offset_ms);
  zone->grid_ = grid_of(zone->from_ms_);
  zone->view_ = {zone->from_ms_.data(), zone->offset_ms_.data(), zone->grid_.data(),
                 static_cast<std::int32_t>(zone->from_ms_.size()),
                 static_cast<std::int32_t>(zone->grid_.size())};
  const Zone* made = zone.get();
  all.by_id[made->id_].store(made, std::memory_order_release);
  all.by_name.emplace(made->name_, std::move(zone));
  return made;
}

const Zone& zone_of_id(std::uint16_t id) {
  return *registry().by_id[id].load(std::memory_order_acquire);
}

}  // namespace tidemark
