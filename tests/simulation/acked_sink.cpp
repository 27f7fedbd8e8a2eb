// AcknowledgedSink against the simulated broker: journal, outputs and offsets one after another,
// the partitions of each in any order; a partition may take only the first of what it is sent.
#include "stream/kafka/acknowledged.hpp"

#include <deque>
#include <utility>

#include <fmt/format.h>

#include "kernels/base/crash_point.hpp"
#include "tests/simulation/clients.hpp"

namespace tidemark {

using simulation::Fault;
using simulation::OutputEntry;
using simulation::Place;
using simulation::world;

struct AcknowledgedSink::Impl {
  explicit Impl(const KafkaSettings& given) : settings(given) {}

  using Queues = std::map<Place, std::deque<OutputEntry>>;

  Queues queues_of(bool journal) const {
    Queues queues;
    for (const OutputBatch& batch : held) {
      for (const OutputRecord& record : batch.records) {
        if ((record.topic == OutputTopic::journal) != journal) continue;
        OutputEntry entry = simulation::output_entry(settings, batch, record);
        queues[entry.place].push_back(std::move(entry));
      }
    }
    return queues;
  }

  /// Why not all of it is acknowledged, or nothing.
  std::string send(bool journal) {
    auto& random = world().scheduler.random();
    Queues queues = queues_of(journal);
    std::string failed;
    if (!queues.empty() && world().strikes(Fault::transaction)) {
      failed = "a record was not delivered";
      for (auto& [place, queue] : queues) queue.resize(random.below(queue.size() + 1));
      std::erase_if(queues, [](const auto& one) { return one.second.empty(); });
    }
    while (!queues.empty()) {
      world().scheduler.step("send");
      for (std::size_t left = 1 + random.below(6); left > 0 && !queues.empty(); --left) {
        const auto chosen =
            std::next(queues.begin(), static_cast<long>(random.below(queues.size())));
        const std::string overtaken = write(chosen->second.front());
        if (failed.empty()) failed = overtaken;
        chosen->second.pop_front();
        if (chosen->second.empty()) queues.erase(chosen);
      }
    }
    if (failed.empty() && world().strikes(Fault::commit_lost)) failed = "no answer to records";
    return failed;
  }

  static std::string write(const OutputEntry& output) {
    simulation::Log& log = world().broker.log(output.place.first, output.place.second);
    const std::int64_t offset = log.end();
    log.append(output.entry);
    if (output.expected_offset < 0 || output.expected_offset == offset) return {};
    return fmt::format("offset {} was expected and {} was given", output.expected_offset, offset);
  }

  CommitResult aborted(const std::string& reason) {
    held.clear();
    ++counters.aborts;
    return {CommitResult::Status::aborted, reason};
  }

  const KafkaSettings settings;
  std::vector<OutputBatch> held;
  Counters counters;
};

AcknowledgedSink::AcknowledgedSink(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}
AcknowledgedSink::~AcknowledgedSink() = default;

void AcknowledgedSink::produce(OutputBatch batch) {
  world().scheduler.step("produce");
  if (!batch.records.empty()) impl_->held.push_back(std::move(batch));
}

CommitResult AcknowledgedSink::commit(std::span<const InputPosition> positions,
                                      GroupConsumer& consumer) {
  Impl& self = *impl_;
  if (self.held.empty() && positions.empty()) return {};
  for (const bool journal : {true, false}) {
    if (const std::string why = self.send(journal); !why.empty()) return self.aborted(why);
    crash_point(journal ? "journaled" : "published");
  }
  self.held.clear();
  if (const std::string why = consumer.commit(positions); !why.empty()) return self.aborted(why);
  crash_point("committed");
  ++self.counters.commits;
  return {};
}

void AcknowledgedSink::abort(const std::string&) {
  impl_->held.clear();
}

Sink::Counters AcknowledgedSink::counters() const {
  return impl_->counters;
}

}  // namespace tidemark
