// TransactionalSink: outputs, dead letters and input offsets in one Kafka transaction (promise P2).
#pragma once

#include <memory>

#include "stream/kafka/sink.hpp"

namespace tidemark {

class TransactionalSink final : public Sink {
 public:
  /// Throws UsageError for a property that librdkafka does not take.
  explicit TransactionalSink(const KafkaSettings& settings);
  ~TransactionalSink() override;
  TransactionalSink(const TransactionalSink&) = delete;
  TransactionalSink& operator=(const TransactionalSink&) = delete;

  /// Fences other holders of the transactional id and ends what they left open.
  void init() override;
  void produce(OutputBatch batch) override;
  /// The group refuses the positions of a member that is none any more, and with them the
  /// transaction. Throws RunError when this instance was fenced by another that lives in the
  /// consumer's group.
  CommitResult commit(std::span<const InputPosition> positions, GroupConsumer& consumer) override;
  void abort(const std::string& reason) override;
  Counters counters() const override;

  std::size_t records_in_transaction() const;
  std::uint64_t bytes_in_transaction() const;
  /// Milliseconds since the transaction began, 0 when none is open.
  std::int64_t transaction_age_ms() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
