// The second hop: payments keyed by payer get the payer's features and go on keyed by merchant. One
// lane a partition, restored from its checkpoint and the log behind it, or from the log alone.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "stream/hops/hop.hpp"
#include "stream/hops/pass_on.hpp"
#include "stream/hops/payer_checkpoints.hpp"
#include "stream/hops/payer_lane.hpp"
#include "stream/kafka/reader.hpp"
#include "stream/pipeline/intake.hpp"
#include "stream/pipeline/payer_header.hpp"

namespace tidemark {

class Payers final : public Hop {
 public:
  /// `kafka` has the topic that is read as its payments; `partitions` are those of the one that is
  /// written.
  Payers(const Config& config, const KafkaSettings& kafka, int partitions);

  void open(int partition, std::int64_t next, const std::atomic<bool>& stop) override;
  void close(int partition) override;
  std::function<void()> checkpoint(int partition, std::int64_t next) override;
  void leave(int partition, std::int64_t next) override;
  void take(const std::shared_ptr<const RawBatch>& raw, std::size_t first, std::size_t count,
            OutputBatch& out) override;

 private:
  Destination destination(const RawRecord& record, std::string_view merchant_id) const;

  const Config& config_;
  std::string topic_;
  int partitions_;
  std::shared_ptr<const FeaturePlan> plan_;
  PayerHeader header_;
  ThreadPool pool_;
  Intake intake_;
  std::unique_ptr<Segmenter> segmenter_;
  ReaderClient readers_;
  std::unique_ptr<PayerCheckpoints> checkpoints_;  // null where none are made
  std::map<int, std::unique_ptr<PayerLane>> lanes_;
  std::string headers_, value_;
};

}  // namespace tidemark
