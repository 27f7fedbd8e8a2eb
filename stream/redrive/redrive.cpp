// See redrive.hpp. The order of things is the promise: the transactional id is taken first, which
// ends what a dead or slower redrive has open, so that the marks read after it are all there will
// be; whoever takes the id later fences this one before its next commit.
#include "stream/redrive/redrive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/base/utf8.hpp"
#include "stream/kafka/partitioner.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "stream/kafka/transactional_writer.hpp"
#include "stream/pipeline/intake.hpp"
#include "stream/redrive/letter_source.hpp"
#include "stream/redrive/marks.hpp"

namespace tidemark {
namespace {

// A transaction of so much is over in milliseconds: it holds up all readers of the input topics.
constexpr std::size_t batch_letters_max = 1'000;
constexpr std::size_t batch_bytes_max = std::size_t{4} << 20;
// A byte of a value takes six of a line at most (\u001f); the rest of a line is short.
constexpr std::size_t line_bytes_per_value_byte = 6;
constexpr std::size_t line_bytes_beside_value = std::size_t{1} << 16;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// What redrive needs of the cluster: throws RunError for a topic that is missing.
class Topics {
 public:
  explicit Topics(const KafkaSettings& kafka) : kafka_(kafka) {
    require(kafka.output(OutputTopic::dead_letter), "dead-letter");
    require(kafka.redriven_topic, "redriven");
    require(kafka.input(Source::payments), name_of(Source::payments));
    for (const Source source : {Source::invoices, Source::merchants, Source::signals,
                                Source::feedback, Source::control}) {
      if (!kafka.input(source).empty()) require(kafka.input(source), name_of(source));
    }
    shapes_ = shapes_of(kafka, names_);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (shapes_.at(names_[i]).partitions > 0) continue;
      throw RunError(fmt::format(
          "kafka: missing topic {} (kafka.topics.{}); `tidemark topics --create` makes it",
          names_[i], roles_[i]));
    }
  }
  int letters() const { return partitions(kafka_.output(OutputTopic::dead_letter)); }
  int marks() const { return partitions(kafka_.redriven_topic); }
  /// Of all keyed topics.
  int keyed() const { return partitions(kafka_.input(Source::payments)); }

 private:
  void require(const std::string& topic, std::string_view role) {
    if (topic.empty()) throw UsageError(fmt::format("kafka.topics.{}: names no topic", role));
    names_.push_back(topic);
    roles_.emplace_back(role);
  }
  int partitions(const std::string& topic) const { return shapes_.at(topic).partitions; }

  const KafkaSettings& kafka_;
  std::vector<std::string> names_, roles_;
  std::map<std::string, TopicShape> shapes_;
};

Marks read_marks(ReaderClient& client, const KafkaSettings& kafka, const Topics& topics) {
  return Marks::read(client, kafka.redriven_topic, topics.marks(),
                     kafka.output(OutputTopic::dead_letter));
}

/// The ranges of a choice as the log is now, so that a second reading sees the same.
std::vector<LetterRange> ranges_of(ReaderClient& client, const Config& config,
                                   const LetterChoice& choice, int partitions) {
  if (!choice.partition && (choice.from || choice.to)) {
    throw UsageError("--from and --to are offsets of one partition: name it with --partition");
  }
  const std::string& topic = config.kafka.output(OutputTopic::dead_letter);
  if (choice.partition.value_or(0) >= partitions) {
    throw UsageError(
        fmt::format("--partition {}: {} has {} partitions", *choice.partition, topic, partitions));
  }
  std::vector<LetterRange> ranges;
  for (int p = choice.partition.value_or(0); p < choice.partition.value_or(partitions - 1) + 1;
       ++p) {
    const auto bounds = client.settled_bounds(topic, p);
    const std::int64_t from = std::max(bounds.begin, choice.from.value_or(0));
    const std::int64_t last = choice.to.value_or(INT64_MAX - 1);
    const std::int64_t until = std::min(bounds.stable_end, last + 1);
    if (from < until) ranges.push_back({p, from, until});
  }
  return ranges;
}

std::optional<Source> source_of(const DeadLetter& letter) {
  for (int s = 0; s < source_count; ++s) {
    if (name_of(static_cast<Source>(s)) == letter.original.topic) return static_cast<Source>(s);
  }
  return std::nullopt;
}

/// A letter on its way back.
struct Passenger {
  NamedLetter named;
  Source source = Source::payments;
  int partition = 0;    // where it goes
  std::string refused;  // why it does not
};

struct Batch {
  std::vector<Passenger> letters;
  std::size_t bytes = 0;
  bool is_full() const { return letters.size() >= batch_letters_max || bytes >= batch_bytes_max; }
};

class Redriver {
 public:
  explicit Redriver(const Config& config)
      : config_(config),
        topics_(config.kafka),
        client_(config.kafka),
        writer_(config.kafka, config.kafka.transactional_id + "-redrive"),
        pool_(1),
        intake_(config, pool_, topics_.keyed()) {
    writer_.init();
    marks_ = read_marks(client_, config.kafka, topics_);
  }

  ReaderClient& client() { return client_; }
  const Topics& topics() const { return topics_; }

  /// `open` gives the same letters each time.
  RedriveReport run(const std::function<std::unique_ptr<LetterSource>()>& open) {
    RedriveReport report = go_through(*open(), false);
    return report.refused.count() == 0 ? go_through(*open(), true) : report;
  }

 private:
  RedriveReport go_through(LetterSource& source, bool sends);
  void finish(Batch& batch, bool sends, RedriveReport& report);
  std::string unfit(const NamedLetter& named);
  void parse(Batch& batch);
  void send(const Batch& batch);

  const Config& config_;
  const Topics topics_;
  ReaderClient client_;
  TransactionalWriter writer_;
  ThreadPool pool_;
  Intake intake_;
  Marks marks_;
  std::map<int, std::int64_t> ends_;  // of the dead-letter topic, where they were asked for
};

RedriveReport Redriver::go_through(LetterSource& source, bool sends) {
  RedriveReport report;
  Marks seen;
  Batch batch;
  while (auto named = source.next()) {
    ++report.read;
    const DeadLetter& letter = named->letter;
    std::string why = unfit(*named);
    if (why.empty() && !seen.add(letter.letter)) {
      why = fmt::format("letter: {} is there twice", to_text(letter.letter));
    }
    if (why.empty() && marks_.has(letter.letter)) {
      report.already.add(
          fmt::format("{}: {} was put back already", named->name, to_text(letter.letter)));
      continue;
    }
    Passenger& passenger = batch.letters.emplace_back();
    if (why.empty()) passenger.source = *source_of(letter);
    if (letter.key && passenger.source != Source::control) {
      passenger.partition = partition_of(*letter.key, topics_.keyed());
    }
    batch.bytes += letter.value.value_or("").size();
    passenger.refused = std::move(why);
    passenger.named = std::move(*named);
    if (batch.is_full()) finish(batch, sends, report);
  }
  finish(batch, sends, report);
  return report;
}

void Redriver::finish(Batch& batch, bool sends, RedriveReport& report) {
  parse(batch);
  for (const Passenger& letter : batch.letters) {
    if (letter.refused.empty()) continue;
    report.refused.add(fmt::format("{}: {}", letter.named.name, letter.refused));
  }
  if (sends && report.refused.count() > 0) {
    throw RunError("redrive: the letters have changed while they were read: " +
                   report.refused.kept().front());
  }
  if (sends && !batch.letters.empty()) {
    send(batch);
    report.redriven += batch.letters.size();
  }
  batch = {};
}

/// What is wrong with a letter before its record is looked at; empty for nothing.
std::string Redriver::unfit(const NamedLetter& named) {
  if (!named.unreadable.empty()) return named.unreadable;
  const RecordPlace& place = named.letter.letter;
  const std::string& topic = config_.kafka.output(OutputTopic::dead_letter);
  if (place.topic != topic) {
    return fmt::format("letter.topic: is not {} (kafka.topics.dead-letter)", topic);
  }
  if (place.partition >= topics_.letters()) {
    return fmt::format("letter.partition: {} has {}", topic, topics_.letters());
  }
  auto end = ends_.find(place.partition);
  if (end == ends_.end()) {
    end = ends_.emplace(place.partition, client_.bounds(topic, place.partition).stable_end).first;
  }
  if (place.offset >= end->second) {
    return fmt::format("letter.offset: partition {} of {} ends at {}", place.partition, topic,
                       end->second);
  }
  const auto source = source_of(named.letter);
  if (!source || config_.kafka.input(*source).empty()) {
    return fmt::format("topic: '{}' is no source of events",
                       one_line(named.letter.original.topic, 48));
  }
  return {};
}

/// As the engine would take it in just now, at the place where it is to go.
void Redriver::parse(Batch& batch) {
  auto raw = std::make_shared<RawBatch>();
  std::vector<Passenger*> parsed;
  std::size_t bytes = 0;
  for (Passenger& letter : batch.letters) {
    if (!letter.refused.empty()) continue;
    parsed.push_back(&letter);
    bytes += letter.named.letter.value.value_or("").size() + raw_padding_bytes;
  }
  if (parsed.empty()) return;
  auto arena = std::make_shared<std::string>();
  arena->reserve(bytes);  // views into it have to stay
  const std::int64_t now = now_ms();
  for (const Passenger* letter : parsed) {
    const DeadLetter& record = letter->named.letter;
    RawRecord& as_read = raw->records.emplace_back();
    as_read.source = letter->source;
    as_read.partition = letter->partition;
    as_read.kafka_time_ms = now;
    as_read.has_key = true;
    if (record.key) as_read.key = *record.key;
    if (record.value) {
      as_read.value = {arena->data() + arena->size(), record.value->size()};
      *arena += *record.value;
    }
    arena->append(raw_padding_bytes, '\0');
  }
  raw->keep_alive = arena;
  const auto rows = intake_.parse(raw, 0, raw->records.size());
  for (std::size_t row = 0; row < rows->rows(); ++row) {
    if (rows->outcome[row] != Outcome::dead_lettered) continue;
    parsed[row]->refused = fmt::format("would be a dead letter again ({}): {}",
                                       name_of(rows->error[row]), rows->error_message[row]);
  }
}

/// Records and marks, or neither.
void Redriver::send(const Batch& batch) {
  const auto view = [](const std::optional<std::string>& text) -> std::optional<std::string_view> {
    if (!text) return std::nullopt;
    return *text;
  };
  writer_.begin();
  for (const Passenger& letter : batch.letters) {
    const DeadLetter& record = letter.named.letter;
    writer_.send({.topic = config_.kafka.entry(letter.source),
                  .partition = letter.partition,
                  .key = view(record.key),
                  .value = view(record.value),
                  .headers = {{"redriven_from", to_text(record.letter)}}});
  }
  const std::vector<std::int64_t> offsets = writer_.flush();
  crash_point("redrive-sent");
  const std::int64_t now = now_ms();
  for (std::size_t i = 0; i < batch.letters.size(); ++i) {
    const Passenger& letter = batch.letters[i];
    const RecordPlace to{config_.kafka.entry(letter.source), letter.partition, offsets[i]};
    const std::string key = to_text(letter.named.letter.letter);
    const std::string mark = mark_json(letter.named.letter, to, now);
    writer_.send({.topic = config_.kafka.redriven_topic, .key = key, .value = mark});
  }
  writer_.flush();
  crash_point("redrive-marked");
  writer_.commit();
  crash_point("redrive-committed");
}

}  // namespace

void list_letters(const Config& config, const LetterChoice& choice,
                  const std::function<void(const DeadLetter&)>& take) {
  const Topics topics(config.kafka);
  ReaderClient client(config.kafka);
  auto ranges = ranges_of(client, config, choice, topics.letters());
  const Marks marks = read_marks(client, config.kafka, topics);
  const auto letters = open_letter_topic(client, config.kafka, std::move(ranges), choice.errors);
  while (const auto named = letters->next()) {
    if (!marks.has(named->letter.letter)) take(named->letter);
  }
}

RedriveReport redrive_file(const Config& config, const std::filesystem::path& file) {
  const std::size_t line_bytes_max =
      config.value_bytes_max * line_bytes_per_value_byte + line_bytes_beside_value;
  open_letter_file(file, line_bytes_max);  // says that there is none before it asks the brokers
  return Redriver(config).run([&] { return open_letter_file(file, line_bytes_max); });
}

RedriveReport redrive_topic(const Config& config, const LetterChoice& choice) {
  Redriver redriver(config);
  const auto ranges = ranges_of(redriver.client(), config, choice, redriver.topics().letters());
  return redriver.run(
      [&] { return open_letter_topic(redriver.client(), config.kafka, ranges, choice.errors); });
}

}  // namespace tidemark
