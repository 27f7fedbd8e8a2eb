// PartitionCheck: walks one partition's journal and holds inputs and outputs against it, one
// transaction at a time. Needs no state of the engine; memory is that of a transaction's outputs
// and 16 bytes a merchant for limit versions.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "stream/kafka/topic_admin.hpp"
#include "stream/verify/input_log.hpp"
#include "stream/verify/output_log.hpp"
#include "stream/verify/verify.hpp"

namespace tidemark {

using TopicShapes = std::map<std::string, TopicShape>;

/// The partitions of an output topic that may hold outputs of one input partition.
std::vector<int> partitions_of(const KafkaSettings& settings, const TopicShapes& shapes,
                               OutputTopic kind, int input_partition, int input_partitions);

class PartitionCheck {
 public:
  PartitionCheck(const Config& config, const VerifyOptions& options, ReaderClient& client,
                 const TopicShapes& shapes, PartitionReport& report);
  ~PartitionCheck();
  void run();

 private:
  std::int64_t find_beginnings(std::int64_t journal_begin);
  void open();
  bool check_ranges(const JournalRecord& record, std::int64_t at);
  bool is_selected(const JournalRecord& record, std::int64_t at) const;
  void walk(const JournalRecord& record, std::int64_t at);
  void walk_run(const JournalRecord& record, const JournalRun& run, const std::string& where);
  void settle(const JournalRecord& record, const RawRecord& input);
  void check_letter(OutputLog& log, const Output& letter, const RawRecord& input);
  void check_order(OutputLog& log, const Output& output, const RawRecord& input);
  void check_version(OutputLog& log, const Output& limit);
  void check_rest(const JournalRecord& record);
  void check_counts(const JournalRecord& record, std::int64_t at);
  std::string place(Source source, std::int64_t offset) const;
  void fail(Violation violation, std::string text) {
    report_.violations.add(violation, std::move(text));
  }

  const Config& config_;
  const VerifyOptions& options_;
  ReaderClient& client_;
  const TopicShapes& shapes_;
  PartitionReport& report_;
  SourceOffsets next_{};  // behind the transactions seen so far
  std::array<std::unique_ptr<InputLog>, source_count> inputs_;
  std::unique_ptr<OutputLog> verdicts_, limits_, alerts_, dead_, late_;
  std::map<std::pair<const OutputLog*, int>, std::int64_t> last_;  // order, by topic and partition
  std::unordered_map<std::uint64_t, std::int64_t> versions_;       // by hash of the merchant
  JournalCounts counts_;                                           // of the transaction at hand
  std::uint64_t unlettered_control_ = 0;
  bool opened_ = false, past_end_ = false;
};

}  // namespace tidemark
