// AcknowledgedSink: at least once, without transactions. What a commit ends is sent in this order,
// each step acknowledged by the brokers before the next: the journal, the outputs that it orders,
// the input offsets. So outputs are seen as soon as they are written, and whatever a crash cuts off
// is told by a journal that runs ahead of the offsets: the next owner publishes it again, with the
// same bytes.
#pragma once

#include <memory>

#include "stream/kafka/sink.hpp"

namespace tidemark {

class AcknowledgedSink final : public Sink {
 public:
  /// Throws UsageError for a property that librdkafka does not take.
  explicit AcknowledgedSink(const KafkaSettings& settings);
  ~AcknowledgedSink() override;
  AcknowledgedSink(const AcknowledgedSink&) = delete;
  AcknowledgedSink& operator=(const AcknowledgedSink&) = delete;

  /// Nothing is ever left open.
  void init() override {}
  /// Keeps the batch until commit(), which sends the journal ahead of it.
  void produce(OutputBatch batch) override;
  /// An abort also when a journal record came to lie elsewhere than expected: then another instance
  /// writes the journal, and nothing that belongs to the record was sent.
  CommitResult commit(std::span<const InputPosition> positions, GroupConsumer& consumer) override;
  void abort(const std::string& reason) override;
  Counters counters() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
