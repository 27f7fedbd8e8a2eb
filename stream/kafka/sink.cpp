// See sink.hpp.
#include "stream/kafka/sink.hpp"

#include "stream/kafka/acknowledged.hpp"
#include "stream/kafka/transaction.hpp"

namespace tidemark {

std::unique_ptr<Sink> make_sink(const KafkaSettings& settings) {
  if (settings.delivery == Delivery::at_least_once) {
    return std::make_unique<AcknowledgedSink>(settings);
  }
  return std::make_unique<TransactionalSink>(settings);
}

}  // namespace tidemark
