// TransactionalWriter: records for any topics in transactions without a group or offsets, for
// commands that end when something is in their way and are run again. It repairs nothing: after
// the first failure the writer is of no more use. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stream/kafka/record_to_write.hpp"
#include "stream/kafka/settings.hpp"

namespace tidemark {

class TransactionalWriter {
 public:
  /// Holds `transactional_id` in place of the settings' own. Throws UsageError for a property that
  /// librdkafka does not take.
  TransactionalWriter(const KafkaSettings& settings, const std::string& transactional_id);
  /// Aborts what is open.
  ~TransactionalWriter();
  TransactionalWriter(const TransactionalWriter&) = delete;
  TransactionalWriter& operator=(const TransactionalWriter&) = delete;

  /// Fences other holders of the id and ends what they left open: what a reader of the log sees
  /// from here on is all that they committed. Call once. Throws RunError.
  void init();

  /// Begins a transaction. Throws RunError where the one before met trouble on the wire: a late
  /// request of it could still end this one.
  void begin();
  /// Adds a copy of the record. Throws RunError.
  void send(const RecordToWrite& record);
  /// Waits until the brokers have all that was sent; gives the offsets since the last flush(), in
  /// the order of send(). Throws RunError.
  std::vector<std::int64_t> flush();
  /// Throws RunError: then nothing of the transaction is visible, or, where it says so, that is
  /// not known.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
