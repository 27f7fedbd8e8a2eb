// Specs with tables beside them: files in a folder of their own, and random tables over the words
// and days of the random streams. Test code only.
#pragma once

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "features/table_file.hpp"
#include "tests/features/wild_stream.hpp"

namespace tidemark::test {

/// A folder that goes with the object.
class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "tidemark-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name), std::ios::binary) << text;
  }

 private:
  std::string path_;
};

inline const std::string peers_header =
    "as_of,feature,industry,region,currency,mean,stddev,merchants\n";
inline const std::string seasons_header = "as_of,feature,industry,month,factor\n";

inline constexpr std::string_view tabled_spec = R"(spec: tabled
tables: {peers: peers.csv, seasons: seasons.csv}
measures:
  pay: {source: payments, types: [payment], value: amount}
features:
  - {name: sum, aggregate: sum, of: pay, window: 7d}
  - {name: count, aggregate: count, of: pay, window: 7d}
  - {name: rate, ratio: [count, sum]}
  - {name: sum_peers, peers: sum}
  - {name: sum_spread, peers: sum, statistic: stddev, hidden: true}
  - {name: count_peers, peers: count, empty: -1}
  - {name: rate_peers, peers: rate}
  - {name: sum_over, ratio: [sum, sum_peers]}
  - {name: sum_beyond, difference: [sum, sum_peers]}
  - {name: sum_change, change: [sum, sum_peers]}
  - {name: sum_sigmas, ratio: [sum_beyond, sum_spread]}
  - {name: season, season: sum}
  - {name: season_before, season: sum, delay: 4w, hidden: true}
  - {name: sum_plain, ratio: [sum, season]}
  - {name: sum_plain_before, ratio: [sum, season_before]}
  - {name: plain_change, change: [sum_plain, sum_plain_before]}
)";

/// That spec with random tables: any version, industry, region and currency may be missing or end.
class TabledSpec {
 public:
  explicit TabledSpec(std::mt19937& random) {
    std::set<std::int32_t> days;
    for (const std::int64_t turn_ms : turning_points_ms) {
      for (int i = 0; i < 3; ++i) {
        const auto around = static_cast<std::int64_t>(random() % 200) - 20;
        days.insert(day_of_local_ms(turn_ms + around * day_ms));
      }
    }
    std::string peers = peers_header, seasons = seasons_header;
    for (const std::int32_t day : days) {
      for (const std::string_view feature : {"count", "rate", "sum", "unused"}) {
        for (const std::string_view industry : {"food", "retail"}) {
          const std::string of =
              day_text(day) + "," + std::string(feature) + "," + std::string(industry) + ",";
          for (const std::string_view region : {"east", "\"west, far\""}) {
            for (const std::string_view currency : {"CNY", "JPY"}) {
              const bool money = feature == "sum" || feature == "rate";
              if ((!money && currency == "JPY") || random() % 4 == 0) continue;
              peers += of + std::string(region) + "," + (money ? std::string(currency) : "") + "," +
                       value(random) + "," + value(random) + ",12\n";
            }
          }
          for (int month = 1; month <= 12; ++month) {
            if (random() % 4 == 0) continue;
            seasons += of + std::to_string(month) + ",";
            if (random() % 8 != 0) seasons += "0." + std::to_string(1 + random() % 9999);
            seasons += "\n";
          }
        }
      }
    }
    for (const std::string_view feature : {"count", "rate", "sum"}) {  // at least a line of each
      const std::string of = "2400-01-01," + std::string(feature) + ",food,";
      peers += of + "east," + (feature == "count" ? "" : "CNY") + ",1,1,1\n";
      seasons += of + "1,1\n";
    }
    folder_.write("peers.csv", peers);
    folder_.write("seasons.csv", seasons);
    plan_ = FeaturePlan::parse(tabled_spec, folder_.file("spec.yaml"));
  }

  std::shared_ptr<const FeaturePlan> plan() const { return plan_; }

 private:
  static std::string value(std::mt19937& random) {
    if (random() % 8 == 0) return "";
    return std::to_string(random() % 100'000) + "." + std::to_string(random() % 100'000);
  }

  Folder folder_;
  std::shared_ptr<const FeaturePlan> plan_;
};

}  // namespace tidemark::test
