// See acknowledged.hpp.
#include "stream/kafka/acknowledged.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>
#include <vector>

#include "kernels/base/crash_point.hpp"
#include "stream/kafka/sink_client.hpp"

namespace tidemark {

using Clock = std::chrono::steady_clock;

struct AcknowledgedSink::Impl : kafka::SinkClient {
  using SinkClient::SinkClient;

  enum class Part { journal, outputs };
  void send(Part part);
  bool acknowledged();
  CommitResult start_anew(const std::string& reason);

  std::vector<OutputBatch> held;  // since the last commit
};

void AcknowledgedSink::Impl::send(Part part) {
  constexpr std::size_t poll_every = 1024;
  for (const OutputBatch& batch : held) {
    for (std::size_t i = 0; i < batch.records.size() && failed.empty(); ++i) {
      const OutputRecord& record = batch.records[i];
      if ((record.topic == OutputTopic::journal) != (part == Part::journal)) continue;
      add(batch, record);
      if (i % poll_every == 0) rd_kafka_poll(client.get(), 0);
    }
  }
}

/// Waits for the brokers; records that they do not take in message.timeout.ms count as lost.
bool AcknowledgedSink::Impl::acknowledged() {
  constexpr int slice_ms = 500;
  while (rd_kafka_flush(client.get(), slice_ms) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
  }
  return failed.empty() && overtaken.empty() && undelivered == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/// The producer has a gap in its sequence now, so it is replaced.
CommitResult AcknowledgedSink::Impl::start_anew(const std::string& reason) {
  held.clear();
  count([](Counters& c) { ++c.aborts; });
  spdlog::warn("kafka: outputs of '{}' not acknowledged: {}", settings.transactional_id, reason);
  judge_undelivered();
  count([](Counters& c) { ++c.recycles; });
  close();
  open();
  return {CommitResult::Status::aborted, reason};
}

AcknowledgedSink::AcknowledgedSink(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}
AcknowledgedSink::~AcknowledgedSink() = default;

void AcknowledgedSink::produce(OutputBatch batch) {
  if (!batch.records.empty()) impl_->held.push_back(std::move(batch));
}

CommitResult AcknowledgedSink::commit(std::span<const InputPosition> positions,
                                      GroupConsumer& consumer) {
  Impl& self = *impl_;
  if (self.held.empty() && positions.empty()) return {};
  const auto from = Clock::now();
  self.begin();
  for (const auto part : {Impl::Part::journal, Impl::Part::outputs}) {
    self.send(part);
    if (!self.acknowledged()) {
      return self.start_anew(!self.overtaken.empty() ? self.overtaken
                             : !self.failed.empty()  ? self.failed
                                                     : self.undelivered_text);
    }
    crash_point(part == Impl::Part::journal ? "journaled" : "published");
  }
  self.held.clear();
  if (const std::string error = consumer.commit(positions); !error.empty()) {
    self.count([](Counters& c) { ++c.aborts; });
    return {CommitResult::Status::aborted, error};
  }
  crash_point("committed");
  self.count([&](Counters& c) {
    ++c.commits;
    c.records += self.records;
    c.commit_seconds += std::chrono::duration<double>(Clock::now() - from).count();
  });
  return {};
}

void AcknowledgedSink::abort(const std::string& reason) {
  if (impl_->held.empty()) return;
  spdlog::warn("kafka: outputs of '{}' dropped: {}", impl_->settings.transactional_id, reason);
  impl_->held.clear();
}

Sink::Counters AcknowledgedSink::counters() const {
  return impl_->counted();
}

}  // namespace tidemark
