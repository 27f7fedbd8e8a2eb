// See predecessors.hpp.
#include "stream/kafka/predecessors.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <set>
#include <string>

#include "kernels/base/failure.hpp"
#include "stream/kafka/client.hpp"
#include "stream/kafka/group_questions.hpp"
#include "stream/kafka/transactional_writer.hpp"

namespace tidemark {

using kafka::PartitionList;

struct Predecessors::Impl {
  explicit Impl(const KafkaSettings& given) : settings(given), group(settings) {}

  /// Who committed last for each source of these partitions, but for ourselves.
  std::set<std::string> others(const std::vector<int>& partitions) {
    PartitionList list(rd_kafka_topic_partition_list_new(1));
    for (const Source source : keyed_sources) {
      const std::string& topic = settings.input(source);
      for (const int partition : partitions) {
        if (!topic.empty()) rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
      }
    }
    std::set<std::string> ids = group.committers(list.get());
    ids.erase(settings.transactional_id);
    return ids;
  }

  const KafkaSettings settings;
  kafka::GroupQuestions group;
};

Predecessors::Predecessors(const KafkaSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}
Predecessors::~Predecessors() = default;

void Predecessors::settle(const std::vector<int>& partitions) {
  Impl& self = *impl_;
  // By hand an ordinal has one id, whoever has it; without transactions nothing is open.
  if (self.settings.assignment == Assignment::manual ||
      self.settings.delivery == Delivery::at_least_once) {
    return;
  }
  try {
    const std::set<std::string> ids = self.others(partitions);
    if (ids.empty()) return;
    bool waited = false;
    const auto living = self.group.members(waited);
    for (const std::string& id : ids) {
      if (living.count(id) != 0) continue;
      TransactionalWriter(self.settings, id).init();
      spdlog::info("kafka: '{}' is in group '{}' no longer: what it left open is ended", id,
                   self.settings.group_id);
    }
  } catch (const RunError& error) {
    spdlog::warn("kafka: what a former owner left open may stay so until it times out: {}",
                 error.what());
  }
}

}  // namespace tidemark
