// The first hop: payments keyed by merchant become payments keyed by payer. Without state.
#pragma once

#include <string>

#include "stream/hops/hop.hpp"
#include "stream/parse/payer_id.hpp"
#include "stream/pipeline/intake.hpp"

namespace tidemark {

class Rekey final : public Hop {
 public:
  /// `topic` is the one that is read, `partitions` are those of the one that is written.
  Rekey(const Config& config, std::string topic, int partitions);

  void open(int, std::int64_t, const std::atomic<bool>&) override {}
  void close(int) override {}
  void take(const std::shared_ptr<const RawBatch>& raw, std::size_t first, std::size_t count,
            OutputBatch& out) override;

 private:
  std::string topic_;
  int partitions_;
  ThreadPool pool_;
  Intake intake_;
  PayerIdReader payers_;
  std::string headers_;
};

}  // namespace tidemark
