// A connection for asking and creating: internal to this folder, used by topic_admin.cpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "stream/kafka/client.hpp"
#include "stream/kafka/topic_admin.hpp"

namespace tidemark::kafka {

class AdminSession {
 public:
  explicit AdminSession(const KafkaSettings& settings);

  /// Partition counts of the topics that exist, by name. A topic whose leaders are still being
  /// chosen counts only when `with_leaders` is false.
  std::map<std::string, int> partition_counts(bool with_leaders = false);

  /// Settings of existing topics: topic -> name -> value. Topics that we may not describe are left
  /// out.
  std::map<std::string, std::map<std::string, std::string>> configs(
      const std::vector<std::string>& topics);

  /// One request for all; a topic that came into being meanwhile is fine.
  void create(const std::vector<TopicPlan>& plans);

 private:
  KafkaSettings settings_;
  ClientWatch watch_;  // before the client, which points at it
  ClientHandle client_;
};

}  // namespace tidemark::kafka
