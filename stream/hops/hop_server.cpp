// See hop_server.hpp.
#include "stream/hops/hop_server.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"
#include "stream/hops/pass_on.hpp"
#include "stream/pipeline/stages.hpp"

namespace tidemark {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t poll_records_max = 10'000;
constexpr int poll_idle_ms = 20, poll_busy_ms = 1;
constexpr milliseconds show_every{500};

std::vector<int> own_partitions(const KafkaSettings& kafka, int partitions) {
  if (kafka.instances > partitions) {
    throw UsageError(fmt::format("kafka.instances: {} are more than the {} partitions of {}",
                                 kafka.instances, partitions, kafka.input(Source::payments)));
  }
  std::vector<int> own;
  for (int p = kafka.ordinal; p < partitions; p += kafka.instances) own.push_back(p);
  return own;
}

}  // namespace

KafkaSettings hop_settings(const Config& config, Stage stage) {
  const PayerTopics& topics = config.kafka.payer_topics;
  const bool first = stage == Stage::rekey;
  KafkaSettings kafka = config.kafka;
  kafka.group_id += fmt::format("-{}", name_of(stage));
  kafka.transactional_id += fmt::format("-{}", name_of(stage));
  kafka.outlast_outages = true;
  kafka.delivery = Delivery::exactly_once;
  kafka.keep_headers = true;
  kafka.input_topics.fill("");
  kafka.output_topics.fill("");
  kafka.input_topics[static_cast<std::size_t>(Source::payments)] =
      first ? topics.payments : topics.by_payer;
  kafka.output_topics[static_cast<std::size_t>(hop_output)] =
      first ? topics.by_payer : topics.enriched;
  return kafka;
}

HopServer::HopServer(const Config& config, const KafkaSettings& kafka, int partitions,
                     std::string stage, std::unique_ptr<Hop> hop, StageBoard& board,
                     const std::atomic<bool>& stop)
    : config_(config),
      kafka_(kafka),
      partitions_(partitions),
      stage_(std::move(stage)),
      hop_(std::move(hop)),
      board_(board),
      stop_(stop),
      sink_(make_sink(kafka_)),
      consumer_(kafka_),
      predecessors_(kafka_) {
  show(false);
}

HopServer::~HopServer() = default;

void HopServer::run(const std::function<void()>& ready) {
  start();
  try {
    while (!stop_) {
      round();
      if (ready_ && !std::exchange(was_ready_, true) && ready) ready();
    }
  } catch (const HopInterrupted&) {
    spdlog::info("{}: stopped while recovering; the next start begins again", stage_);
  }
  show(false);
  commit();
  if (!committer_->settle()) {
    throw RunError(fmt::format(
        "{}: the last transaction was aborted while stopping ({}); nothing is lost, the next start "
        "repeats it",
        stage_, committer_->abort_reason()));
  }
  leave(open_partitions());
  committer_.reset();
  consumer_.close();
}

void HopServer::start() {
  const bool by_hand = kafka_.assignment == Assignment::manual;
  const std::vector<int> own = by_hand ? own_partitions(kafka_, partitions_) : std::vector<int>();
  sink_->init();  // before the group: it settles what a dead predecessor left open
  committer_ = std::make_unique<Committer>(*sink_, consumer_);
  if (by_hand) {
    consumer_.take(own);
  } else {
    consumer_.subscribe();
  }
  spdlog::info("{}: from {} to {}", stage_, kafka_.input(Source::payments),
               kafka_.output(hop_output));
}

void HopServer::round() {
  if (committer_->aborted()) rebuild(committer_->abort_reason());
  const std::uint64_t rebuilds = rebuilds_;
  const auto polled = consumer_.poll(std::min(poll_records_max, config_.transaction_events_max),
                                     open_records_ > 0 ? poll_busy_ms : poll_idle_ms);
  if (!polled.revoked.empty()) give_up(polled);
  if (!polled.assigned.empty()) take_assignment(polled.assigned);
  // What was rebuilt meanwhile begins at its committed offset: these will be read again.
  if (rebuilds_ == rebuilds) take_in(polled);
  if (commit_is_due()) commit();
  if (steady_clock::now() - shown_ >= show_every) show(ready_);
}

void HopServer::take_in(const GroupConsumer::Polled& polled) {
  auto& records = polled.records->records;
  // Records of one partition become one piece; their own order stays.
  std::stable_sort(records.begin(), records.end(), [](const RawRecord& a, const RawRecord& b) {
    return a.partition < b.partition;
  });
  std::vector<OutputBatch> out;
  for (std::size_t first = 0; first < records.size();) {
    const int partition = records[first].partition;
    std::size_t end = first + 1;
    while (end < records.size() && records[end].partition == partition) ++end;
    if (const auto next = next_.find(partition); next != next_.end()) {
      hop_->take(polled.records, first, end - first, out.emplace_back());
      next->second = taken_[partition] = records[end - 1].offset + 1;
      if (open_records_ == 0) open_since_ = steady_clock::now();
      open_records_ += end - first;
    }
    first = end;
  }
  if (out.empty()) return;
  committer_->produce(std::move(out));
  crash_point("passed-on");
}

bool HopServer::commit_is_due() const {
  if (open_records_ == 0) return false;
  return open_records_ >= config_.transaction_events_max ||
         steady_clock::now() - open_since_ >= milliseconds(config_.transaction_ms_max);
}

void HopServer::commit() {
  if (open_records_ == 0) return;
  std::vector<InputPosition> positions;
  std::vector<std::function<void()>> behind{
      [this, records = open_records_] { committed_records_ += records; }};
  for (const auto& [partition, next] : taken_) {
    positions.push_back({Source::payments, partition, next});
    if (auto checkpoint = hop_->checkpoint(partition, next)) {
      behind.push_back(std::move(checkpoint));
    }
  }
  committer_->commit(std::move(positions), [behind = std::move(behind)] {
    for (const auto& call : behind) call();
  });
  taken_.clear();
  open_records_ = 0;
}

void HopServer::take_assignment(const std::vector<int>& partitions) {
  spdlog::info("{}: partitions taken: {}", stage_, fmt::join(partitions, ", "));
  predecessors_.settle(partitions);
  // Commits on their way must land first: a lane is restored up to what is committed.
  if (!committer_->settle()) rebuild(committer_->abort_reason());
  for (const int partition : partitions) open(partition);
  ready_ = true;
  show(true);
}

void HopServer::open(int partition) {
  if (partition >= partitions_) {
    throw RunError(fmt::format(
        "{}: partition {} of {} was added while serving; a key's partition must not change, so the "
        "keys have to be moved first",
        stage_, partition, kafka_.input(Source::payments)));
  }
  const SourceOffsets committed = consumer_.committed(partition);
  const std::int64_t next = committed[static_cast<std::size_t>(Source::payments)];
  hop_->open(partition, next, stop_);
  next_[partition] = next;
  consumer_.start(partition, committed);
}

void HopServer::give_up(const GroupConsumer::Polled& polled) {
  spdlog::info("{}: partitions {}: {}", stage_, polled.lost ? "lost" : "given up",
               fmt::join(polled.revoked, ", "));
  ready_ = false;
  bool committed = false;
  if (!polled.lost) {
    commit();
    committed = committer_->settle();
  }
  if (committed) leave(polled.revoked);
  for (const int partition : polled.revoked) drop(partition);
  consumer_.unassign(polled.revoked);
  if (!committed) {
    rebuild(polled.lost ? "it held records of lost partitions" : committer_->abort_reason());
  }
  ready_ = !next_.empty();
  show(ready_);
}

void HopServer::rebuild(const std::string& why) {
  spdlog::warn("{}: transaction aborted ({}); rebuilding the state of {} partitions", stage_, why,
               next_.size());
  ++rebuilds_;
  show(false);
  committer_->restart();
  open_records_ = 0;
  taken_.clear();
  const std::vector<int> partitions = open_partitions();
  for (const int partition : partitions) drop(partition);
  for (const int partition : partitions) open(partition);
  show(ready_);
}

/// All that was taken is committed.
void HopServer::leave(const std::vector<int>& partitions) {
  for (const int partition : partitions) {
    const auto next = next_.find(partition);
    if (next != next_.end() && next->second > 0) hop_->leave(partition, next->second);
  }
}

std::vector<int> HopServer::open_partitions() const {
  std::vector<int> partitions;
  for (const auto& [partition, next] : next_) partitions.push_back(partition);
  return partitions;
}

void HopServer::drop(int partition) {
  hop_->close(partition);
  next_.erase(partition);
}

void HopServer::show(bool ready) {
  shown_ = steady_clock::now();
  StageStatus status;
  status.ready = ready;
  status.records = committed_records_;
  status.sink = sink_->counters();
  for (const auto& [partition, next] : next_) {
    const std::int64_t end = consumer_.known_end(Source::payments, partition);
    status.lag_records[partition] =
        std::max<std::int64_t>(0, end - std::max<std::int64_t>(next, 0));
  }
  board_.set(stage_, std::move(status));
}

}  // namespace tidemark
