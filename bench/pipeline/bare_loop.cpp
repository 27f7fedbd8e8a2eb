// See bare_loop.hpp.
#include "bench/pipeline/bare_loop.hpp"

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/kafka/consumer.hpp"
#include "stream/kafka/transaction.hpp"

namespace tidemark {
namespace {

// An allow verdict of the quickstart takes about this many bytes.
constexpr std::size_t decision_bytes = 200;

void append_decision(const RawRecord& record, OutputBatch& out) {
  OutputRecord& decision = out.records.emplace_back();
  decision.topic = OutputTopic::verdicts;
  decision.key_begin = out.bytes.size();
  decision.key_bytes = static_cast<std::uint32_t>(record.key.size());
  out.bytes += record.key;
  decision.value_begin = out.bytes.size();
  // The input's own bytes, so that records differ and compress as decisions do.
  out.bytes += record.value.substr(0, decision_bytes);
  out.bytes.resize(decision.value_begin + decision_bytes, ' ');
  decision.value_bytes = decision_bytes;
}

}  // namespace

double run_bare_loop(const KafkaSettings& settings, std::uint64_t events,
                     std::size_t transaction_events) {
  using Clock = std::chrono::steady_clock;
  TransactionalSink sink(settings);
  sink.init();
  GroupConsumer consumer(settings);
  consumer.subscribe();
  std::map<std::pair<Source, int>, std::int64_t> next;
  std::uint64_t consumed = 0, open = 0;
  Clock::time_point start{};
  OutputBatch out;
  while (consumed < events) {
    const auto polled = consumer.poll(transaction_events - open, 5);
    SourceOffsets beginning;
    beginning.fill(offset_none);
    for (const int partition : polled.assigned) consumer.start(partition, beginning);
    if (polled.records->records.empty()) continue;
    if (consumed == 0) start = Clock::now();
    out.clear();
    for (const RawRecord& record : polled.records->records) {
      append_decision(record, out);
      next[{record.source, record.partition}] = record.offset + 1;
      ++consumed;
      ++open;
    }
    sink.produce(out);
    if (open < transaction_events && consumed < events) continue;
    std::vector<InputPosition> positions;
    for (const auto& [place, offset] : next) {
      positions.push_back({place.first, place.second, offset});
    }
    const CommitResult result = sink.commit(positions, consumer);
    if (!result.committed()) throw RunError("bare loop: commit failed: " + result.reason);
    open = 0;
    next.clear();
  }
  const std::chrono::duration<double> took = Clock::now() - start;
  consumer.close();
  return took.count();
}

}  // namespace tidemark
