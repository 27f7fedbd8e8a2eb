// See server.hpp.
#include "stream/pipeline/server.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <tuple>

#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t poll_records_max = 10'000;
constexpr int poll_idle_ms = 5;
// What of one source waits in a lane for the others; beyond it the broker keeps the rest.
constexpr std::size_t queued_rows_max = 100'000;
constexpr std::size_t queued_bytes_max = std::size_t{64} << 20;

KafkaSettings outlasting(KafkaSettings settings) {
  settings.outlast_outages = true;
  return settings;
}

void append_journal(const JournalRecord& journal, OutputBatch& out) {
  const std::string bytes = encode_journal(journal);
  OutputRecord& record = out.records.emplace_back();
  record.topic = OutputTopic::journal;
  record.partition = journal.partition;
  record.null_key = true;
  record.expected_offset = journal.expected_offset;
  record.value_begin = out.bytes.size();
  record.value_bytes = static_cast<std::uint32_t>(bytes.size());
  out.bytes += bytes;
}

/// Where the sources go on behind a transaction. One of control events alone names the first source
/// again, where it stands (0: nothing of it was taken): without an offset the group's fence would
/// not be asked, and an instance that has lost the partition could still commit.
void add_positions(const JournalRecord& journal, const SourceOffsets& before,
                   const KafkaSettings& kafka, std::vector<InputPosition>& positions) {
  const std::size_t already = positions.size();
  for (const Source source : keyed_sources) {
    const JournalRange& range = journal.ranges[static_cast<std::size_t>(source)];
    if (range.present) positions.push_back({source, journal.partition, range.next});
  }
  if (positions.size() > already) return;
  const Source first = *std::find_if(keyed_sources.begin(), keyed_sources.end(),
                                     [&](Source source) { return !kafka.input(source).empty(); });
  const std::int64_t next = before[static_cast<std::size_t>(first)];
  positions.push_back({first, journal.partition, std::max<std::int64_t>(next, 0)});
}

/// As text, where there is one: "payments.v1 [3] at offset 12: bad_amount: amount: expected ..."
std::string last_dead_letter(const std::vector<OutputBatch>& batches, const KafkaSettings& kafka) {
  for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
    for (auto record = batch->records.rbegin(); record != batch->records.rend(); ++record) {
      if (record->topic != OutputTopic::dead_letter) continue;
      const LetterHeaders& letter = batch->letters[static_cast<std::size_t>(record->letter)];
      return fmt::format("{} [{}] at offset {}: {}: {}", kafka.input(letter.source),
                         letter.partition, letter.offset, letter.error, letter.message);
    }
  }
  return {};
}

}  // namespace

Server::Server(const Config& config, int partitions, const std::atomic<bool>& stop,
               const StageBoard* stages)
    : config_(config),
      kafka_(outlasting(config.kafka)),
      partitions_(partitions),
      stop_(stop),
      backend_(resolve_backend(config.backend)),
      pool_(config.threads),
      releases_(config, backend_, Provenance::kafka_topics, pool_),
      intake_(config, pool_, partitions),
      pulse_(kafka_),
      observer_(
          config, releases_.current().release.fingerprint, [this] { return pulse_.silent_s(); },
          stages),
      sink_(make_sink(kafka_)),
      consumer_(kafka_),
      predecessors_(kafka_) {
  if (config.standby_bytes_max > 0) standby_ = std::make_unique<Standby>(config, partitions);
}

Server::~Server() = default;

/// Of a manual assignment. Throws UsageError where there is none for this instance.
std::vector<int> Server::own_partitions() const {
  if (kafka_.instances > partitions_) {
    throw UsageError(
        fmt::format("kafka.instances: {} are more than the {} partitions of the inputs",
                    kafka_.instances, partitions_));
  }
  std::vector<int> own;
  for (int p = kafka_.ordinal; p < partitions_; p += kafka_.instances) own.push_back(p);
  return own;
}

void Server::start() {
  const bool by_hand = kafka_.assignment == Assignment::manual;
  const std::vector<int> own = by_hand ? own_partitions() : std::vector<int>();
  sink_->init();  // before the group: it settles what a dead predecessor left open
  readers_ = std::make_unique<ReaderClient>(kafka_);
  if (!config_.kafka.input(Source::control).empty()) {
    // With a connection of its own: a broker answers one at a time on each, and behind a fetch that
    // waits for control events those of a recovery would wait too.
    control_ = std::make_unique<PlainReader>(
        kafka_, ReadRange{config_.kafka.input(Source::control), control_partition, log_beginning,
                          log_follow, Source::control});
  }
  if (auto store = open_checkpoint_store(config_, kafka_)) {
    checkpoints_.emplace(config_, releases_.current().plan, std::move(store));
  }
  committer_ = std::make_unique<Committer>(*sink_, consumer_);
  if (by_hand) {
    consumer_.take(own);
  } else {
    consumer_.subscribe();
  }
  spdlog::info("serving release {} on {} with {} threads", releases_.current().release.fingerprint,
               name_of(backend_), config_.threads);
}

void Server::round() {
  if (committer_->aborted()) rebuild(committer_->abort_reason());
  take_in_control();
  const bool worked = work();
  const bool idle = !worked && open_rows_ == 0;
  const auto polled = consumer_.poll(poll_records_max, idle ? 4 * poll_idle_ms : worked ? 0 : 1);
  bool rebuilt = false;
  if (!polled.revoked.empty()) rebuilt = give_up(polled);
  if (!polled.assigned.empty()) rebuilt = take_assignment(polled.assigned) || rebuilt;
  // Lanes that were rebuilt meanwhile go on before what this poll brought: it is fetched again.
  if (!rebuilt) take_in(polled);
  if (!polled.records->records.empty()) crash_point("taken");
  if (commit_is_due()) commit();
  for (const auto& [partition, lane] : lanes_) {
    if (checkpoints_) checkpoints_->advance(*lane);
  }
  observe_standby();
}

void Server::take_in(const GroupConsumer::Polled& polled) {
  const auto now = steady_clock::now();
  auto& records = polled.records->records;
  rows_taken_ += records.size();
  // Rows of one source and partition become one chunk; their own order stays.
  std::stable_sort(records.begin(), records.end(), [](const RawRecord& a, const RawRecord& b) {
    return std::tie(a.partition, a.source) < std::tie(b.partition, b.source);
  });
  for (std::size_t first = 0; first < records.size();) {
    std::size_t end = first + 1;
    while (end < records.size() && records[end].partition == records[first].partition &&
           records[end].source == records[first].source) {
      ++end;
    }
    const auto lane = lanes_.find(records[first].partition);
    if (lane != lanes_.end()) {
      const Source source = records[first].source;
      lane->second->merge.push(source, intake_.parse(polled.records, first, end - first), now);
      lane->second->merge.set_state(source, SourceState::catching_up);
      hold_back(*lane->second);
    }
    first = end;
  }
  for (const EndOfPartition& end : polled.ends) {
    const auto lane = lanes_.find(end.partition);
    if (lane != lanes_.end()) {
      lane->second->merge.set_state(end.source, SourceState::live_end);
    }
  }
}

void Server::hold_back(Lane& lane) {
  auto& paused = paused_[lane.partition()];
  for (const Source source : keyed_sources) {
    const auto s = static_cast<std::size_t>(source);
    const std::size_t rows = lane.merge.queued(source), bytes = lane.merge.queued_bytes(source);
    if (!paused[s] && (rows > queued_rows_max || bytes > queued_bytes_max)) {
      consumer_.pause(source, lane.partition());
      paused[s] = true;
    } else if (paused[s] && rows < queued_rows_max / 2 && bytes < queued_bytes_max / 2) {
      consumer_.resume(source, lane.partition());
      paused[s] = false;
    }
  }
}

void Server::take_in_control() {
  if (!control_) return;
  const auto raw = control_->read(poll_records_max, 0);
  const std::size_t from = control_log_.size();
  if (!raw->records.empty()) control_log_.push_back(raw);
  for (auto& [partition, lane] : lanes_) {
    feed_control(*lane, from);
    lane->merge.set_state(Source::control,
                          control_->caught_up() ? SourceState::live_end : SourceState::catching_up);
  }
}

void Server::feed_control(Lane& lane, std::size_t from) {
  for (std::size_t i = from; i < control_log_.size(); ++i) {
    const auto& raw = control_log_[i];
    std::size_t first = 0;
    while (first < raw->records.size() && raw->records[first].offset < lane.control_next) ++first;
    if (first == raw->records.size()) continue;
    auto rows = intake_.parse(raw, first, raw->records.size() - first);
    lane.merge.push(Source::control, std::move(rows), steady_clock::now());
    lane.control_next = raw->records.back().offset + 1;
  }
}

bool Server::work() {
  bool any = false;
  const auto now = steady_clock::now();
  EngineOutput out;
  out.records = &records_;
  auto next = lanes_.upper_bound(last_lane_);
  for (std::size_t visited = 0; visited < lanes_.size(); ++visited, ++next) {
    if (next == lanes_.end()) next = lanes_.begin();
    // One batch a lane and turn, so that no partition waits for another's backlog.
    if (open_rows_ >= config_.transaction_events_max) break;
    Lane& lane = *next->second;
    const std::uint64_t before = lane.journal_rows;
    if (releases_.engine().step(lane, now, out)) {
      any = true;
      last_lane_ = next->first;
      check_dead_letters(lane);
      if (open_rows_ == 0) open_since_ = steady_clock::now();
      open_rows_ += lane.journal_rows - before;
      hand_over();
    }
    hold_back(lane);
  }
  return any;
}

void Server::check_dead_letters(const Lane& lane) {
  if (lane.dead_letters.count() <= config_.dead_letters_max) return;
  const std::string last = last_dead_letter(records_, config_.kafka);
  if (last.empty()) return;  // those before were let through with a larger budget
  committer_->settle();
  committer_->restart();
  throw RunError(fmt::format(
      "partition {}: {} of the last {} records are dead letters, dead_letters.max is {}; the last "
      "one: {}. Nothing is published or committed behind the last transaction: repair what feeds "
      "the "
      "topic, or raise dead_letters.max to go on",
      lane.partition(), lane.dead_letters.count(), lane.dead_letters.records(),
      config_.dead_letters_max, last));
}

void Server::hand_over() {
  if (!release_published_) {
    // Ahead of the first decision made with it.
    OutputBatch release;
    releases_.encode_documents(release);
    records_.insert(records_.begin(), std::move(release));
    release_published_ = true;
  }
  committer_->produce(std::move(records_));
  records_ = {};
  crash_point("produced");
}

bool Server::commit_is_due() const {
  if (open_rows_ == 0) return false;
  // Outside a transaction there is nothing to wait for but the one before.
  if (config_.kafka.delivery == Delivery::at_least_once && committer_->idle()) return true;
  return open_rows_ >= config_.transaction_events_max ||
         steady_clock::now() - open_since_ >= milliseconds(config_.transaction_ms_max);
}

void Server::commit() {
  if (open_rows_ == 0) return;
  std::vector<InputPosition> positions;
  OutputBatch journals;
  for (auto& [partition, lane] : lanes_) {
    if (lane->journal_rows == 0) continue;
    check_identity(lane->counts, partition);
    JournalRecord& journal = lane->journal;
    journal.partition = partition;
    journal.release = releases_.current().release.fingerprint;
    journal.state_hash = lane->state_hash();
    if (config_.kafka.delivery == Delivery::at_least_once) {
      journal.expected_offset = journal_end_[partition]++;
    }
    add_positions(journal, next_[partition], config_.kafka, positions);
    for (std::size_t s = 0; s < source_count; ++s) {
      if (journal.ranges[s].present) next_[partition][s] = journal.ranges[s].next;
    }
    append_journal(journal, journals);
    lane->journal = {};
    lane->journal_rows = 0;
  }
  std::vector<OutputBatch> last;
  last.push_back(std::move(journals));
  committer_->produce(std::move(last));
  committer_->commit(std::move(positions), begin_checkpoints());
  rows_handed_ += open_rows_;
  open_rows_ = 0;
  const Policy* const policy = releases_.current().policy.get();
  observer_.observe(lanes_, sink_->counters(), policy ? policy->additivity() : Additivity{});
  for (const auto& [partition, lane] : lanes_) {
    const auto status = checkpoints_ ? checkpoints_->status(partition) : std::nullopt;
    if (status) observer_.observe_checkpoint(partition, *status);
  }
}

SourceCounts Server::counts() const {
  SourceCounts counts{};
  for (const auto& [partition, lane] : lanes_) {
    for (const Source source : keyed_sources) {
      counts[static_cast<std::size_t>(source)].add(lane->counts[static_cast<std::size_t>(source)]);
    }
  }
  // Every lane takes in all of control: it is counted once.
  constexpr auto control = static_cast<std::size_t>(Source::control);
  if (!lanes_.empty()) counts[control] = lanes_.begin()->second->counts[control];
  return counts;
}

void Server::stop(const std::function<void()>& settled) {
  commit();
  if (!committer_->settle()) {
    throw RunError("the last transaction was aborted while stopping (" +
                   committer_->abort_reason() + "); nothing is lost, the next start repeats it");
  }
  std::vector<int> partitions;
  for (const auto& [partition, lane] : lanes_) partitions.push_back(partition);
  if (settled) settled();
  last_checkpoints(partitions);
  committer_.reset();
  consumer_.close();
}

}  // namespace tidemark
