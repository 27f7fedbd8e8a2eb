// TransactionalSink against the simulated broker: the same ends of a transaction as the one over
// librdkafka, errors and lost answers included.
#include "stream/kafka/transaction.hpp"

#include <set>
#include <stdexcept>
#include <utility>

#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"
#include "stream/kafka/acknowledged.hpp"
#include "stream/kafka/partitioner.hpp"
#include "stream/kafka/predecessors.hpp"
#include "tests/simulation/clients.hpp"

namespace tidemark {

using simulation::Answer;
using simulation::Broker;
using simulation::Fault;
using simulation::world;

namespace simulation {

OutputEntry output_entry(const KafkaSettings& settings, const OutputBatch& batch,
                         const OutputRecord& record) {
  const std::string& topic = settings.output(record.topic);
  if (topic.empty()) throw std::logic_error("no topic is configured for an output");
  Entry entry;
  entry.key = batch.key(record);
  entry.value = batch.value(record);
  entry.null_key = record.null_key;
  entry.null_value = record.null_value;
  entry.time_ms = world().now_ms();
  if (record.letter >= 0) {
    const LetterHeaders& letter = batch.letters[static_cast<std::size_t>(record.letter)];
    entry.headers = {{"error", letter.error},
                     {"message", letter.message},
                     {"topic", settings.input(letter.source)},
                     {"partition", std::to_string(letter.partition)},
                     {"offset", std::to_string(letter.offset)}};
  }
  const int partition = record.partition != any_partition
                            ? record.partition
                            : partition_of(entry.key, world().broker.partitions());
  return {{topic, partition}, std::move(entry), record.expected_offset};
}

}  // namespace simulation

struct TransactionalSink::Impl {
  explicit Impl(const KafkaSettings& given) : settings(given) {}

  const std::string& id() const { return settings.transactional_id; }

  void init() {
    epoch = world().broker.init_producer(id());
    world().scheduler.wait("init", [this] { return world().broker.is_idle(id()); });
  }

  void begin() {
    // The one before may still be writing its markers.
    world().scheduler.wait("begin", [this] { return world().broker.is_idle(id()); });
    in_transaction = true;
    failed.clear();
    records = 0;
    crash_point("begun");
  }

  void add(const OutputBatch& batch, const OutputRecord& record) {
    simulation::OutputEntry output = simulation::output_entry(settings, batch, record);
    if (world().broker.produce(id(), epoch, output.place, std::move(output.entry)) !=
        Answer::done) {
      failed = "its records are refused";
    }
    ++records;
  }

  CommitResult aborted(const std::string& reason) {
    ++counters.aborts;
    in_transaction = false;
    return {CommitResult::Status::aborted, reason};
  }

  /// A new producer, as after trouble on the wire; fenced for good when another instance lives.
  CommitResult recycled(const std::string& reason, bool fenced) {
    if (fenced && (group == nullptr || simulation::another_instance_lives(id(), group->member))) {
      throw RunError("fenced: another instance uses the same transactional id");
    }
    init();
    return aborted(reason);
  }

  CommitResult dropped(const std::string& reason) {
    world().scheduler.step("abort");
    const bool fenced = world().broker.end_transaction(id(), epoch, false) == Answer::fenced;
    if (fenced) return recycled(reason, true);
    return aborted(reason);
  }

  const KafkaSettings settings;
  int epoch = 0;
  bool in_transaction = false;
  std::string failed;
  std::size_t records = 0;
  GroupConsumer::Impl* group = nullptr;
  Counters counters;
};

TransactionalSink::TransactionalSink(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}
TransactionalSink::~TransactionalSink() = default;

void TransactionalSink::init() {
  world().scheduler.step("init");
  impl_->init();
}

void TransactionalSink::produce(OutputBatch batch) {
  Impl& self = *impl_;
  if (batch.records.empty()) return;
  if (!self.in_transaction) self.begin();
  world().scheduler.step("produce");
  if (world().strikes(Fault::transaction)) self.failed = "a record was not delivered";
  for (std::size_t i = 0; i < batch.records.size() && self.failed.empty(); ++i) {
    self.add(batch, batch.records[i]);
  }
}

CommitResult TransactionalSink::commit(std::span<const InputPosition> positions,
                                       GroupConsumer& consumer) {
  Impl& self = *impl_;
  Broker& broker = world().broker;
  self.group = consumer.impl_.get();
  if (!self.in_transaction && positions.empty()) return {};
  if (!self.in_transaction) self.begin();
  if (!self.failed.empty()) return self.dropped(self.failed);
  if (!positions.empty()) {
    std::map<simulation::Input, std::int64_t> next;
    for (const InputPosition& p : positions) {
      if (p.source == Source::control) throw std::logic_error("control has no group offset");
      next[{p.source, p.partition}] = p.next_offset;
    }
    self.group->beat();
    const std::string member = self.group->member;
    const int generation = self.group->generation;
    if (generation < 0 && self.group->was_member) {
      return self.dropped("the group has dropped this member");
    }
    world().scheduler.step("send-offsets");
    if (world().strikes(Fault::transaction)) return self.dropped("an answer did not come in time");
    switch (broker.send_offsets(self.id(), self.epoch, member, generation, next)) {
      case Answer::done:
        break;
      case Answer::fenced:
        return self.recycled("fenced", true);
      case Answer::not_a_member:
        return self.dropped("of another generation");
    }
  }
  crash_point("offsets-sent");
  world().scheduler.step("commit");
  if (world().strikes(Fault::commit_undone)) return self.recycled("no answer to a commit", false);
  if (broker.end_transaction(self.id(), self.epoch, true) == Answer::fenced) {
    return self.recycled("fenced", true);
  }
  if (world().strikes(Fault::commit_lost)) return self.recycled("no answer to a commit", false);
  crash_point("committed");
  self.in_transaction = false;
  ++self.counters.commits;
  return {};
}

void TransactionalSink::abort(const std::string& reason) {
  if (impl_->in_transaction) impl_->dropped(reason);
}

std::size_t TransactionalSink::records_in_transaction() const {
  return impl_->in_transaction ? impl_->records : 0;
}
std::uint64_t TransactionalSink::bytes_in_transaction() const {
  return 0;
}
std::int64_t TransactionalSink::transaction_age_ms() const {
  return 0;
}
Sink::Counters TransactionalSink::counters() const {
  return impl_->counters;
}

struct Predecessors::Impl {
  const std::string own;
};

Predecessors::Predecessors(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(Impl{settings.transactional_id})) {}
Predecessors::~Predecessors() = default;

void Predecessors::settle(const std::vector<int>& partitions) {
  Broker& broker = world().broker;
  std::set<std::string> ids;
  for (const int partition : partitions) {
    for (const Source source : keyed_sources) ids.insert(broker.committer({source, partition}));
  }
  for (const std::string& id : ids) {
    world().scheduler.step("settle");
    if (id.empty() || id == impl_->own || broker.holder_of(id) != nullptr) continue;
    broker.init_producer(id);
    world().scheduler.wait("settled", [&] { return broker.is_idle(id); });
  }
}

std::unique_ptr<Sink> make_sink(const KafkaSettings& settings) {
  if (settings.delivery == Delivery::at_least_once) {
    return std::make_unique<AcknowledgedSink>(settings);
  }
  return std::make_unique<TransactionalSink>(settings);
}

}  // namespace tidemark
