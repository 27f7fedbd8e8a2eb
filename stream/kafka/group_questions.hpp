// What the brokers know of a consumer group, asked from outside of it. Internal to this folder; one
// thread.
#pragma once

#include <map>
#include <set>
#include <string>

#include "stream/kafka/client.hpp"
#include "stream/kafka/settings.hpp"

namespace tidemark::kafka {

class GroupQuestions {
 public:
  /// `settings` outlives it.
  explicit GroupQuestions(const KafkaSettings& settings);

  /// The members by kafka.transactional_id: the member ids under each. With KIP-848 a dead member
  /// is among them until its session is over, beside the one that has taken its place. None where
  /// there is no group. Waits as the settings say; `waited` tells that the brokers did not answer
  /// at once.
  std::map<std::string, std::set<std::string>> members(bool& waited);
  /// Who committed last for each of these partitions, as the offsets' metadata say; what an open
  /// transaction has sent does not count.
  std::set<std::string> committers(const rd_kafka_topic_partition_list_s* partitions);

 private:
  struct Question;

  void connect();
  int ask(const Question& question, int attempt_ms);
  /// Asks until there is an answer, that there is no such group among them. Gives whether the
  /// brokers did not answer at once.
  bool answer(const Question& question);

  const KafkaSettings& settings_;
  ClientWatch watch_;  // before the client, which points at it
  ClientHandle client_;
};

}  // namespace tidemark::kafka
