// A member of a group for tests against a real broker, and records for it to read.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {

inline SourceOffsets from_beginning() {
  SourceOffsets offsets;
  offsets.fill(offset_none);
  return offsets;
}

inline std::vector<PlainRecord> numbered(int from, int to, int partition) {
  std::vector<PlainRecord> records;
  for (int i = from; i < to; ++i) {
    records.push_back({"k", std::to_string(i), partition, -1, {}});
  }
  return records;
}

/// A member that remembers what it was told, and serves rebalances as the engine would.
struct Member {
  explicit Member(const KafkaSettings& settings) : consumer(settings) {
    if (settings.assignment != Assignment::manual) consumer.subscribe();
  }

  void poll(int timeout_ms = 20) {
    GroupConsumer::Polled polled = consumer.poll(1000, timeout_ms);
    for (const RawRecord& r : polled.records->records) {
      seen[{r.source, r.partition}].emplace_back(r.value);
      offsets[{r.source, r.partition}].push_back(r.offset);
    }
    for (const EndOfPartition& end : polled.ends) ends[{end.source, end.partition}] = end.offset;
    if (!polled.revoked.empty()) {
      lost = polled.lost;
      ++revocations;
      consumer.unassign(polled.revoked);
      for (const int p : polled.revoked) std::erase(partitions, p);
    }
    partitions.insert(partitions.end(), polled.assigned.begin(), polled.assigned.end());
    batches.push_back(std::move(polled.records));
  }

  bool until(const std::function<bool()>& holds) {
    return poll_until([this] { poll(); }, holds);
  }
  bool assigned() {
    return until([this] { return !partitions.empty(); });
  }

  GroupConsumer consumer;
  std::vector<int> partitions;
  int revocations = 0;
  bool lost = false;
  std::map<std::pair<Source, int>, std::vector<std::string>> seen;
  std::map<std::pair<Source, int>, std::vector<std::int64_t>> offsets;
  std::map<std::pair<Source, int>, std::int64_t> ends;
  std::vector<std::shared_ptr<RawBatch>> batches;
};

}  // namespace tidemark::testing
