// AckedWriter: records for any topics, each on all in-sync replicas before write() returns, without
// transactions. Any thread; writes wait for each other.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "stream/kafka/record_to_write.hpp"
#include "stream/kafka/settings.hpp"

namespace tidemark {

class AckedWriter {
 public:
  /// Throws UsageError for a property that librdkafka does not take.
  explicit AckedWriter(const KafkaSettings& settings);
  ~AckedWriter();
  AckedWriter(const AckedWriter&) = delete;
  AckedWriter& operator=(const AckedWriter&) = delete;

  /// Gives the offsets, in order. Throws RunError that names the topic when a record is refused or
  /// not acknowledged within connect_timeout_s; some of them may be in the log then. The next call
  /// begins with a new producer.
  std::vector<std::int64_t> write(std::span<const RecordToWrite> records);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
