// Topics as the engine wants them: what they should be, what is there, creating what is missing and
// the check before `serve`. Synchronous, one thread; used at start and by `tidemark topics`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "stream/kafka/settings.hpp"

namespace tidemark {

inline constexpr int topic_partitions_default = 8;

/// A topic as `tidemark topics --create` would make it.
struct TopicPlan {
  std::string role;  // "payments", ..., "dead-letter", "journal": its name in the configuration
  std::string topic;
  bool input = false;
  int partitions = 0;
  std::map<std::string, std::string> config;
};

/// A topic as it is. `differences` are sentences, empty when all is as planned.
struct TopicStatus {
  TopicPlan plan;
  int partitions = 0;  // 0 = missing
  std::vector<std::string> differences;
};

/// The plan for all topics in use. `partitions` <= 0: the default.
std::vector<TopicPlan> plan_topics(const KafkaSettings& settings, int partitions);

/// Compares the cluster with the plan. With `partitions` <= 0 the keyed topics are measured against
/// the partition count that payments already has. Throws RunError when no broker is reached within
/// connect_timeout_s.
std::vector<TopicStatus> describe_topics(const KafkaSettings& settings, int partitions);

/// Creates what is missing, leaves what exists, waits until it can be used. Returns the names made.
std::vector<std::string> create_topics(const KafkaSettings& settings, int partitions);

/// Partitions of a topic, and whether the brokers may take older records of a key out of it.
struct TopicShape {
  int partitions = 0;
  bool compacted = false;
};
/// By name; a topic that is not there has no partitions.
std::map<std::string, TopicShape> shapes_of(const KafkaSettings& settings,
                                            const std::vector<std::string>& topics);

struct TopicCheck {
  int partitions = 0;                 // of the keyed topics and the journal
  std::vector<std::string> warnings;  // retention that will hurt one day
};

/// What `serve` asks before it starts. Throws RunError with one line: a topic is missing, keyed
/// topics or the journal differ in partition count, control has not exactly
/// one, no broker. Throws UsageError for an input that is another topic as well.
TopicCheck check_topics(const KafkaSettings& settings);

}  // namespace tidemark
