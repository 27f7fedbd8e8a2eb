// InputLog: one input partition, record by record. One thread.
#pragma once

#include <cstddef>
#include <memory>

#include "stream/kafka/reader.hpp"

namespace tidemark {

class InputLog {
 public:
  InputLog(ReaderClient& client, const ReadRange& range) : reader_(client, range) {}

  /// The next record, or null behind the last. Valid until the next pop() but one.
  const RawRecord* peek() {
    while (!batch_ || at_ == batch_->records.size()) {
      if (reader_.done()) return nullptr;
      batch_ = reader_.read(read_records_max, read_timeout_ms);
      at_ = 0;
    }
    return &batch_->records[at_];
  }
  void pop() { ++at_; }

 private:
  static constexpr std::size_t read_records_max = 4'000;
  static constexpr int read_timeout_ms = 200;
  PlainReader reader_;
  std::shared_ptr<RawBatch> batch_;
  std::size_t at_ = 0;
};

}  // namespace tidemark
