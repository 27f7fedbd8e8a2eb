// PendingRecords: records of one producer that are on their way, and the offsets that they got.
// Internal to this folder; one thread, which is also where librdkafka's reports arrive.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "stream/kafka/client.hpp"
#include "stream/kafka/record_to_write.hpp"

namespace tidemark::kafka {

class PendingRecords {
 public:
  /// Before the client is made: its reports go to this object, which has to stay where it is.
  void listen(rd_kafka_conf_s* conf, ClientWatch& watch);

  /// Adds a copy of the record; gives what is wrong with it, or nothing.
  std::string send(rd_kafka_s* client, const RecordToWrite& record);
  /// Waits until all is acknowledged; gives what failed, or nothing.
  std::string flush(rd_kafka_s* client, int timeout_ms);
  /// Offsets since the last call, in the order of send(); -1 for what is not acknowledged.
  std::vector<std::int64_t> take_offsets() { return std::exchange(offsets_, {}); }
  /// What failed first.
  const std::string& failure() const { return failure_; }

 private:
  void note(const rd_kafka_message_s& message);

  std::vector<std::int64_t> offsets_;
  std::string failure_;
};

}  // namespace tidemark::kafka
