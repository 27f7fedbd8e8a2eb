// Predecessors: what dead owners of partitions left open. A transaction that an instance had under
// way when it died hides everything behind it from readers until transaction.timeout.ms is over,
// whoever has taken over. So every commit names its instance in the offsets, and who takes a
// partition ends the transactions of its former owners that are in the group no longer. One thread.
#pragma once

#include <memory>
#include <vector>

#include "stream/kafka/settings.hpp"

namespace tidemark {

class Predecessors {
 public:
  explicit Predecessors(const KafkaSettings& settings);
  ~Predecessors();
  Predecessors(const Predecessors&) = delete;
  Predecessors& operator=(const Predecessors&) = delete;

  /// Ends what is open of these partitions' former owners, where they are dead. Where that cannot
  /// be told or done it says so in the log, and the transaction's own time ends it.
  void settle(const std::vector<int>& partitions);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
