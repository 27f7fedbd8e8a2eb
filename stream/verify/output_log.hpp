// OutputLog: one output topic, seen from one input partition and walked transaction by transaction.
// Holds the outputs of the transaction at hand and of a bounded stretch behind it, by the input
// record that each names; what comes before the range is passed over. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "stream/kafka/consumer.hpp"
#include "stream/kafka/journal.hpp"
#include "stream/kafka/reader.hpp"
#include "stream/verify/repeats.hpp"
#include "stream/verify/violations.hpp"

namespace tidemark {

/// One record of an output topic and the input record that it names.
struct Output {
  int partition = 0;  // of the output topic
  std::int64_t offset = 0;
  Source source = Source::payments;
  std::int64_t input_offset = 0;
  std::string key, value, release;
  std::string error, message;  // of a letter
  bool null_key = false, null_value = false;
};

class OutputLog {
 public:
  /// `start`: outputs of input records before these offsets are passed over. `partitions` are those
  /// of the output topic that may hold what belongs to `input_partition`.
  OutputLog(ReaderClient& client, const KafkaSettings& settings, OutputTopic kind,
            int input_partition, const std::vector<int>& partitions, const SourceOffsets& start);

  /// Reads on until the outputs of this transaction are at hand: at least `wanted`, or as many as
  /// there are within `ahead_max` outputs of later ones.
  /// `next`: where each source stands behind the transaction.
  void fill(const JournalRecord& record, const SourceOffsets& next, std::size_t wanted,
            Violations& violations);
  /// Takes out what names this input record, in the order of the log.
  std::vector<Output> take(Source source, std::int64_t input_offset);
  /// Takes out whatever names an input record below `next`: nobody has asked for it.
  std::vector<Output> take_rest(const SourceOffsets& next);
  /// Reads to the end. `cover`: input records that have an outcome somewhere in the journal.
  void drain(const SourceOffsets& next, const SourceOffsets& cover, Violations& violations);
  /// Whether the log may have lost outputs of the range, and from where it begins.
  bool is_cut(std::string& where) const;
  /// Outputs that came again with the same bytes, where delivery is at least once.
  std::uint64_t repeated() const { return repeats_.count(); }
  /// "topic [partition] at offset n".
  std::string place(const Output& output) const;
  const std::string& topic() const { return topic_; }

 private:
  struct Stream {
    int partition = 0;
    std::int64_t begin = 0;
    PlainReader reader;
    bool anchored = false;  // an output from before the range was seen: nothing of it is cut off
    SourceOffsets last{};   // the last output's input record, none before the first
  };
  using Place = std::pair<Source, std::int64_t>;
  void read(Stream& stream, Violations& violations);
  bool decode(const RawRecord& raw, const RecordHeaders* headers, Output& output) const;
  bool decode_decision(const RawRecord& raw, Output& output) const;
  std::size_t held_of(const JournalRecord& record) const;

  const KafkaSettings& settings_;
  std::string topic_;
  bool letters_;
  int input_partition_;
  bool alone_;  // a partition holds outputs of one input partition only
  SourceOffsets start_;
  std::vector<Stream> streams_;
  std::multimap<Place, Output> held_;
  Repeats repeats_;
};

}  // namespace tidemark
