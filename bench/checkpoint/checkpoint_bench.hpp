// What a checkpoint costs the stream and how fast it comes back: a lane of made merchants with
// checkpoints under way while events go on. What `tidemark bench checkpoint` prints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace tidemark {

struct CheckpointBenchOptions {
  std::filesystem::path spec;
  std::filesystem::path work;           // a folder of its own, emptied before and after
  std::string brokers, topic;           // in place of the folder: a topic of its own
  std::uint32_t merchants = 1'000'000;  // of one partition
  std::uint32_t dirty = 100'000;        // that change between the first checkpoint and the second
  std::size_t batch = 10'000;           // events
  int threads = 2;
};

/// Of one checkpoint.
struct CheckpointCost {
  std::uint64_t merchants = 0;
  double begin_ms = 0;         // the stream stands still
  double longest_copy_ms = 0;  // between two batches
  double slowest_batch = 0;    // slowest batch meanwhile, by the median one before
  double copy_s = 0, write_s = 0;
  std::uint64_t bytes = 0, raw_bytes = 0;
};

struct CheckpointBenchResult {
  std::size_t bytes_per_merchant = 0;
  CheckpointCost whole, dirty;
  double restore_s = 0;
};

/// Throws RunError when what comes back has another state hash.
CheckpointBenchResult bench_checkpoint(const CheckpointBenchOptions& options);
std::string to_table(const CheckpointBenchResult& result);
std::string to_json(const CheckpointBenchResult& result);

}  // namespace tidemark
