// The windows alone, from memory: admit, group, update and read-out of a spec's features, for
// several ways in which events fall on merchants. What `tidemark bench windows` prints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tidemark {

struct WindowsBenchOptions {
  std::filesystem::path spec;
  std::size_t events = 2'000'000;  // of each distribution and run, after as many to warm up
  std::uint32_t merchants = 100'000;
  std::size_t batch = 16'384;
  int threads = 1;
  int runs = 3;  // interleaved; the median counts
};

/// Of one distribution of events over merchants.
struct WindowsBenchLoad {
  std::string name;
  double events_per_s = 0;
  double ns_per_event = 0;
  double over_uniform = 0;  // time per event by that of the uniform one
};

struct WindowsBenchResult {
  std::size_t features = 0;
  std::size_t bytes_per_merchant = 0;
  int threads = 1;
  std::vector<WindowsBenchLoad> loads;
};

/// The first rows of each load are compared with the oracle before the clock starts; throws
/// RunError where a bit differs.
WindowsBenchResult bench_windows(const WindowsBenchOptions& options);
std::string to_table(const WindowsBenchResult& result);
std::string to_json(const WindowsBenchResult& result);

}  // namespace tidemark
