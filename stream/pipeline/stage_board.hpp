// What the stages ahead of the merchants' say of themselves, for whoever shows it. Stages write
// from their threads, the HTTP threads read.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "stream/kafka/sink.hpp"

namespace tidemark {

struct StageStatus {
  bool ready = false;                       // its partitions are restored
  std::uint64_t records = 0;                // handed on and committed, since the start
  std::map<int, std::int64_t> lag_records;  // by partition: behind the end of its log
  Sink::Counters sink;
};

class StageBoard {
 public:
  void set(const std::string& stage, StageStatus status) {
    const std::lock_guard lock(mutex_);
    stages_[stage] = std::move(status);
  }
  std::map<std::string, StageStatus> stages() const {
    const std::lock_guard lock(mutex_);
    return stages_;
  }
  bool all_ready() const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, status] : stages_) {
      if (!status.ready) return false;
    }
    return true;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, StageStatus> stages_;
};

}  // namespace tidemark
