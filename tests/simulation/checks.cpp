// See checks.hpp.
#include "tests/simulation/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/manifest.hpp"
#include "stream/kafka/journal.hpp"
#include "stream/pipeline/engine.hpp"
#include "stream/pipeline/restore.hpp"
#include "stream/verify/verify.hpp"

namespace tidemark::simulation {
namespace {

/// Journal records of a partition that count, with their offsets.
std::vector<std::pair<std::int64_t, JournalRecord>> journal_of(World& world, int partition) {
  const Log& log = world.broker.log(world.config.kafka.output(OutputTopic::journal), partition);
  std::vector<std::pair<std::int64_t, JournalRecord>> records;
  for (std::int64_t at = 0; at < log.end(); ++at) {
    if (log.at(at).state != EntryState::committed) continue;
    std::string why;
    auto record = decode_journal(log.at(at).value, &why);
    if (!record) throw Failure(fmt::format("journal [{}] at {}: {}", partition, at, why));
    if (record->counts_at(at)) records.emplace_back(at, std::move(*record));
  }
  return records;
}

void follow(const JournalRecord& record, SourceOffsets& next) {
  for (std::size_t s = 0; s < source_count; ++s) {
    if (record.ranges[s].present) next[s] = record.ranges[s].next;
  }
}

/// The number behind `word` in the last part of a decision.
std::int64_t number_behind(std::string_view text, std::string_view word) {
  const std::size_t at = text.rfind(word);
  std::int64_t number = -1;
  if (at != std::string_view::npos) {
    std::from_chars(text.data() + at + word.size(), text.data() + text.size(), number);
  }
  return number;
}

std::string header_of(const Entry& entry, std::string_view name) {
  for (const auto& [key, value] : entry.headers) {
    if (key == name) return value;
  }
  return {};
}

struct InputRecord {
  std::string topic;
  int partition = 0;
  std::int64_t offset = 0;
  auto operator<=>(const InputRecord&) const = default;
};

InputRecord cause_of(const Entry& entry, bool letter) {
  if (letter) {
    return {header_of(entry, "topic"), std::stoi(header_of(entry, "partition")),
            std::stoll(header_of(entry, "offset"))};
  }
  const std::string_view value = entry.value;
  constexpr std::string_view opening = R"("provenance":{"topic":")";
  const std::size_t at = value.rfind(opening);
  if (at == std::string_view::npos) throw Failure("a verdict without provenance");
  const std::string_view rest = value.substr(at + opening.size());
  return {std::string(rest.substr(0, rest.find('"'))),
          static_cast<int>(number_behind(value, R"(,"partition":)")),
          number_behind(value, R"(,"offset":)")};
}

/// Whether the output came before with the same bytes, as delivery at least once allows; other ones
/// fail the run.
class Repeated {
 public:
  bool operator()(World& world, OutputTopic kind, const InputRecord& cause, const Entry& entry) {
    if (world.config.kafka.delivery != Delivery::at_least_once) return false;
    const auto [before, first] = first_.try_emplace({kind, cause}, &entry);
    if (first) return false;
    const Entry& known = *before->second;
    if (known.key == entry.key && known.value == entry.value && known.headers == entry.headers) {
      return true;
    }
    throw Failure(fmt::format("{} [{}] at {}: an outcome came again with other bytes: {}, {}",
                              cause.topic, cause.partition, cause.offset, known.value,
                              entry.value));
  }

 private:
  std::map<std::pair<OutputTopic, InputRecord>, const Entry*> first_;
};

/// Outcomes by the input record that they name, repeats left out.
std::map<InputRecord, int> outcomes_of(World& world) {
  std::map<InputRecord, int> outcomes;
  const KafkaSettings& kafka = world.config.kafka;
  // By output partition, input topic and key: where the last verdict came from.
  std::map<std::tuple<int, std::string, std::string>, std::int64_t> last;
  Repeated repeated;
  for (const OutputTopic kind :
       {OutputTopic::verdicts, OutputTopic::dead_letter, OutputTopic::late}) {
    for (int p = 0; p < world.broker.partitions(); ++p) {
      const Log& log = world.broker.log(kafka.output(kind), p);
      for (std::int64_t at = 0; at < log.end(); ++at) {
        const Entry& entry = log.at(at);
        if (entry.state != EntryState::committed) continue;
        const InputRecord cause = cause_of(entry, kind != OutputTopic::verdicts);
        if (repeated(world, kind, cause, entry)) continue;
        ++outcomes[cause];
        if (kind != OutputTopic::verdicts) continue;
        const auto [before, first] = last.try_emplace({p, cause.topic, entry.key}, cause.offset);
        if (!first && cause.offset <= before->second) {
          throw Failure(fmt::format("verdicts of {}: {} at {} stands behind {}", entry.key,
                                    cause.topic, cause.offset, before->second));
        }
        before->second = cause.offset;
      }
    }
  }
  for (int p = 0; p < world.broker.partitions(); ++p) {
    for (const auto& [at, record] : journal_of(world, p)) {
      for (const JournalDuplicate& duplicate : record.duplicates) {
        ++outcomes[{kafka.input(duplicate.source), p, duplicate.offset}];
      }
    }
  }
  return outcomes;
}

}  // namespace

void check_manifest(const std::string& name, std::string_view bytes) {
  if (!is_manifest(name)) return;
  World& the = world();
  const CheckpointManifest manifest = decode_manifest(std::string(bytes), name);
  for (const Source source : keyed_sources) {
    const std::int64_t next = manifest.next[static_cast<std::size_t>(source)];
    const std::int64_t committed = the.broker.decided({source, manifest.partition});
    if (next > committed) {
      throw Failure(fmt::format("{}: stands at {} of {}, committed is {}", name, next,
                                tidemark::name_of(source), committed));
    }
  }
  SourceOffsets next;
  next.fill(offset_none);
  bool found = next == manifest.next;  // an empty state is one too
  // Beyond what retention has left nobody can tell, and nobody gets there.
  const std::string& journal = the.config.kafka.output(OutputTopic::journal);
  const std::int64_t begin = the.broker.log(journal, manifest.partition).begin;
  for (const auto& [at, record] : journal_of(the, manifest.partition)) {
    follow(record, next);
    if (next == manifest.next) {
      found = record.state_hash == manifest.state_hash;
    } else if (found && at < manifest.journal_next && at >= begin) {
      throw Failure(
          fmt::format("{}: goes on at offset {} of the journal, so a recovery from it "
                      "misses the transaction at {}",
                      name, manifest.journal_next, at));
    }
  }
  if (!found) throw Failure(name + ": is of a state that no transaction has left");
}

void check_checkpoints(World& world) {
  ThreadPool pool(1);
  const auto plan = FeaturePlan::load(world.config.features_spec);
  const auto store = open_directory_store(world.config.checkpoint_directory);
  for (int p = 0; p < world.broker.partitions(); ++p) {
    const std::string folder = checkpoint_folder(world.config.kafka.group_id, p);
    // The newest come first. An older one may be a sleeper's, published when others had gone on.
    std::set<std::pair<std::int64_t, std::uint64_t>> states;
    for (const StoredManifest& stored : read_manifests(*store, folder)) {
      if (!stored.error.empty()) throw Failure(stored.error);
      states.emplace(stored.manifest.journal_next, stored.manifest.generation);
      if (states.size() > static_cast<std::size_t>(world.config.checkpoint_keep)) break;
      const auto empty = [&] { return make_lane(world.config, plan, p); };
      try {
        restore_lane(*store, folder, stored.manifest, empty, pool);
      } catch (const RunError& error) {
        throw Failure(stored.name + ": " + error.what());
      }
    }
  }
}

void check_outcomes(World& the) {
  auto outcomes = outcomes_of(the);
  for (const Source source : keyed_sources) {
    const std::string& topic = the.config.kafka.input(source);
    for (int p = 0; p < the.broker.partitions(); ++p) {
      const Log& log = the.broker.log(topic, p);
      const std::int64_t committed = the.broker.committed_so_far({source, p});
      for (std::int64_t at = 0; at < log.end(); ++at) {
        const auto found = outcomes.find({topic, p, at});
        const int count = found == outcomes.end() ? 0 : found->second;
        const bool decided = log.at(at).state == EntryState::committed && at < committed;
        const int least = decided && is_scored_source(source) ? 1 : 0;
        if (count >= least && count <= (decided ? 1 : 0)) continue;
        throw Failure(fmt::format("{} [{}] at {}: {} outcomes; committed is {}", topic, p, at,
                                  count, committed));
      }
    }
  }
}

bool all_decided(World& world) {
  for (const Source source : keyed_sources) {
    for (int p = 0; p < world.broker.partitions(); ++p) {
      const Log& log = world.broker.log(world.config.kafka.input(source), p);
      const std::int64_t committed = world.broker.committed_so_far({source, p});
      for (std::int64_t at = std::max<std::int64_t>(committed, 0); at < log.end(); ++at) {
        if (log.at(at).state == EntryState::committed) return false;
      }
    }
  }
  return true;
}

void check_by_verify(World& world) {
  VerifyOptions options;
  options.bytes = true;
  for (const PartitionReport& report : verify(world.config, options)) {
    if (report.violations.count() == 0 && report.undecided == 0) continue;
    std::string all = fmt::format("verify: partition {}: {} violations, {} undecided",
                                  report.partition, report.violations.count(), report.undecided);
    for (const Violations::Named& one : report.violations.kept()) all += "\n  " + one.text;
    throw Failure(all);
  }
}

}  // namespace tidemark::simulation
