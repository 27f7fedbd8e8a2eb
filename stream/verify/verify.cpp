// See verify.hpp.
#include "stream/verify/verify.hpp"

#include <fmt/format.h>

#include <numeric>

#include "kernels/base/failure.hpp"
#include "stream/verify/bytes_check.hpp"
#include "stream/verify/partition_check.hpp"

namespace tidemark {
namespace {

TopicShapes shapes(const Config& config) {
  std::vector<std::string> topics;
  for (const std::string& topic : config.kafka.input_topics) {
    if (!topic.empty()) topics.push_back(topic);
  }
  for (const std::string& topic : config.kafka.output_topics) {
    if (!topic.empty()) topics.push_back(topic);
  }
  TopicShapes found = shapes_of(config.kafka, topics);
  for (const auto& [topic, shape] : found) {
    if (shape.partitions == 0) throw RunError("kafka: topic " + topic + " is not there");
  }
  return found;
}

}  // namespace

std::vector<PartitionReport> verify(const Config& config, const VerifyOptions& options) {
  const TopicShapes topics = shapes(config);
  const int count = topics.at(config.kafka.input(Source::payments)).partitions;
  std::vector<int> partitions = options.partitions;
  if (partitions.empty()) {
    partitions.resize(static_cast<std::size_t>(count));
    std::iota(partitions.begin(), partitions.end(), 0);
  }
  std::vector<PartitionReport> reports;
  std::optional<StartingPoints> points;
  if (options.from_checkpoint) points.emplace(config);
  for (const int partition : partitions) {
    if (partition < 0 || partition >= count) {
      throw UsageError(
          fmt::format("--partition {}: the topics have partitions 0 to {}", partition, count - 1));
    }
    PartitionReport& report = reports.emplace_back();
    report.partition = partition;
    VerifyOptions of_partition = options;
    if (options.from_checkpoint) {
      of_partition.from = RangeEnd{{}, points->journal_behind(partition, *options.from_checkpoint)};
    }
    ReaderClient client(config.kafka);
    PartitionCheck(config, of_partition, client, topics, report).run();
  }
  if (options.bytes) check_bytes(config, topics, options.from_checkpoint.has_value(), reports);
  return reports;
}

}  // namespace tidemark
