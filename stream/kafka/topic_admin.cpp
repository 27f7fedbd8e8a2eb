// What the topics should be, compared with what they are. The retention of the journal follows the
// inputs, and merchants.v1 is not compacted earlier than they are deleted: state is rebuilt from
// all three together.
#include "stream/kafka/topic_admin.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "kernels/base/failure.hpp"
#include "stream/kafka/admin_session.hpp"
#include "stream/kafka/client.hpp"

namespace tidemark {

using kafka::AdminSession;

namespace {

const std::string retention = "retention.ms";
const std::string compaction_lag = "min.compaction.lag.ms";
const std::string forever_ms = "9223372036854775807";
constexpr int journal_bytes_max = 16 << 20;
/// Not a topic of `serve`, which neither needs nor checks it.
constexpr std::string_view redriven_role = "redriven";
constexpr std::string_view checkpoints_role = "checkpoints";
/// What of the checkpoints is removed or replaced goes soon: a topic of them is rewritten for ever.
const std::map<std::string, std::string> config_of_checkpoints = {
    {"cleanup.policy", "compact"},       {"min.cleanable.dirty.ratio", "0.1"},
    {"segment.bytes", "67108864"},       {"segment.ms", "600000"},
    {"delete.retention.ms", "86400000"}, {"max.message.bytes", "2097152"},
};

constexpr std::string_view by_payer_role = "payments-by-payer";
constexpr std::string_view enriched_role = "payments-enriched";

/// Those with a partition number in common. The topic by payer is none of them: it has its own.
bool is_keyed_role(const std::string& role) {
  return role == "journal" || role == enriched_role ||
         std::any_of(keyed_sources.begin(), keyed_sources.end(),
                     [&role](Source source) { return role == name_of(source); });
}

/// What others write, before payers' features are added to it.
const std::string& first_payments(const KafkaSettings& settings) {
  const PayerTopics& topics = settings.payer_topics;
  if (topics.enriched.empty()) return settings.input(Source::payments);
  return topics.payments.empty() ? topics.by_payer : topics.payments;
}

/// A hop keeps the time of its records, and adds headers to the largest of them too.
const std::map<std::string, std::string> config_of_hop = {
    {retention, "-1"},
    {"message.timestamp.type", "CreateTime"},
    {"max.message.bytes", std::to_string(kafka::record_bytes_max)},
};

/// The log is what state is rebuilt from, so inputs are kept until somebody decides otherwise.
std::map<std::string, std::string> config_of_input(Source source) {
  if (source != Source::merchants) return {{retention, "-1"}};
  return {{"cleanup.policy", "compact"}, {compaction_lag, forever_ms}};
}

std::map<std::string, std::string> config_of_output(OutputTopic topic) {
  switch (topic) {
    case OutputTopic::limits:
    case OutputTopic::releases:
      return {{"cleanup.policy", "compact"}, {"min.cleanable.dirty.ratio", "0.1"}};
    case OutputTopic::dead_letter:
    case OutputTopic::late:
      return {{"max.message.bytes", std::to_string(kafka::record_bytes_max)}};
    case OutputTopic::journal:
      return {{retention, "-1"}, {"max.message.bytes", std::to_string(journal_bytes_max)}};
    default:
      return {};
  }
}

/// Where payments exist already, its partition count and retention are the measure of the others.
void follow_payments(AdminSession& session, const KafkaSettings& settings,
                     const std::map<std::string, int>& counts, bool partitions_given,
                     std::vector<TopicPlan>& plans) {
  const std::string& payments = first_payments(settings);
  const auto there = counts.find(payments);
  if (there == counts.end()) return;
  const auto known = session.configs({payments});
  const auto values = known.find(payments);
  for (TopicPlan& plan : plans) {
    if (!partitions_given && plan.role != name_of(Source::control) && plan.role != redriven_role) {
      plan.partitions = there->second + (plan.role == checkpoints_role ? 1 : 0);
    }
    if (values == known.end() || values->second.count(retention) == 0) continue;
    const std::string& kept_ms = values->second.at(retention);
    if (plan.config.count(retention) != 0) plan.config[retention] = kept_ms;
    if (plan.config.count(compaction_lag) != 0) {
      plan.config[compaction_lag] = kept_ms == "-1" ? forever_ms : kept_ms;
    }
  }
}

std::vector<std::string> differences_of(const TopicPlan& plan, int partitions,
                                        const std::map<std::string, std::string>* config) {
  if (partitions == 0) return {"missing"};
  std::vector<std::string> all;
  const bool exact = is_keyed_role(plan.role) || plan.role == name_of(Source::control);
  if (exact && partitions != plan.partitions) {
    all.push_back(fmt::format("has {} partitions, not {}", partitions, plan.partitions));
  }
  if (config == nullptr) return all;
  for (const auto& [name, wanted] : plan.config) {
    const auto is = config->find(name);
    if (is != config->end() && is->second != wanted) {
      all.push_back(fmt::format("{} is {}, recommended {}", name, is->second, wanted));
    }
  }
  return all;
}

std::vector<TopicStatus> describe(AdminSession& session, const KafkaSettings& settings,
                                  int partitions) {
  const auto counts = session.partition_counts();
  std::vector<TopicPlan> plans = plan_topics(settings, partitions);
  follow_payments(session, settings, counts, partitions > 0, plans);
  std::vector<std::string> existing;
  for (const TopicPlan& plan : plans) {
    if (counts.count(plan.topic) != 0) existing.push_back(plan.topic);
  }
  const auto configs = session.configs(existing);
  std::vector<TopicStatus> all;
  for (TopicPlan& plan : plans) {
    TopicStatus status;
    const auto count = counts.find(plan.topic);
    const auto config = configs.find(plan.topic);
    status.partitions = count == counts.end() ? 0 : count->second;
    status.differences = differences_of(plan, status.partitions,
                                        config == configs.end() ? nullptr : &config->second);
    status.plan = std::move(plan);
    all.push_back(std::move(status));
  }
  return all;
}

/// An input that is another topic as well would feed the engine its own decisions, or one record to
/// two sources.
void throw_if_shared(const KafkaSettings& settings) {
  std::vector<TopicPlan> plans = plan_topics(settings, 0);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    for (std::size_t j = i + 1; plans[i].input && j < plans.size(); ++j) {
      if (plans[i].topic == plans[j].topic) {
        throw UsageError(fmt::format("kafka.topics.{} and kafka.topics.{} are both '{}'",
                                     plans[i].role, plans[j].role, plans[i].topic));
      }
    }
  }
}

std::string setting_of(const TopicPlan& plan) {
  if (plan.role == checkpoints_role) return plan.topic + " (checkpoint.topic)";
  return fmt::format("{} (kafka.topics.{})", plan.topic, plan.role);
}

void throw_if_missing(const std::vector<TopicStatus>& all) {
  std::vector<std::string> missing;
  for (const TopicStatus& status : all) {
    if (status.partitions == 0) missing.push_back(setting_of(status.plan));
  }
  if (missing.empty()) return;
  throw RunError(fmt::format("kafka: missing topic{} {}; `tidemark topics --create` makes {}",
                             missing.size() == 1 ? "" : "s", fmt::join(missing, ", "),
                             missing.size() == 1 ? "it" : "them"));
}

/// -1 and "forever" alike are the largest number.
std::int64_t duration_ms(const std::string& text) {
  const std::int64_t ms = std::strtoll(text.c_str(), nullptr, 10);
  return ms < 0 ? INT64_MAX : ms;
}

}  // namespace

std::vector<TopicPlan> plan_topics(const KafkaSettings& settings, int partitions) {
  const int count = partitions > 0 ? partitions : topic_partitions_default;
  std::vector<TopicPlan> plans;
  const auto add = [&plans](std::string_view role, const std::string& topic, bool input, int wanted,
                            std::map<std::string, std::string> config) {
    if (topic.empty()) return;
    plans.push_back({std::string(role), topic, input, wanted, std::move(config)});
  };
  const PayerTopics& hops = settings.payer_topics;
  add(name_of(Source::payments), hops.payments, true, count, config_of_input(Source::payments));
  add(by_payer_role, hops.by_payer, true, count, config_of_hop);
  add(enriched_role, hops.enriched, true, count, config_of_hop);
  for (int i = 0; i < source_count; ++i) {
    const auto source = static_cast<Source>(i);
    if (source == Source::payments && !hops.enriched.empty()) continue;
    add(name_of(source), settings.input(source), true, source == Source::control ? 1 : count,
        config_of_input(source));
  }
  for (int i = 0; i < output_topic_count; ++i) {
    const auto topic = static_cast<OutputTopic>(i);
    add(name_of(topic), settings.output(topic), false, count, config_of_output(topic));
  }
  // Marks are small and few, and each has a key of its own: what compaction takes out are repeats.
  add(redriven_role, settings.redriven_topic, false, 1, {{"cleanup.policy", "compact"}});
  // One partition for the names beside those for the bodies.
  add(checkpoints_role, settings.checkpoint_topic, false, count + 1, config_of_checkpoints);
  return plans;
}

std::vector<TopicStatus> describe_topics(const KafkaSettings& settings, int partitions) {
  AdminSession session(settings);
  return describe(session, settings, partitions);
}

std::vector<std::string> create_topics(const KafkaSettings& settings, int partitions) {
  AdminSession session(settings);
  std::vector<TopicPlan> wanted;
  std::vector<std::string> names;
  for (const TopicStatus& status : describe(session, settings, partitions)) {
    const bool named = std::find(names.begin(), names.end(), status.plan.topic) != names.end();
    if (status.partitions != 0 || named) continue;
    wanted.push_back(status.plan);
    names.push_back(status.plan.topic);
  }
  session.create(wanted);
  const kafka::Deadline deadline(settings);
  const auto usable = [&session, &names] {
    const auto counts = session.partition_counts(true);
    return std::all_of(names.begin(), names.end(),
                       [&counts](const std::string& name) { return counts.count(name) != 0; });
  };
  while (!names.empty() && !usable()) {
    if (deadline.over()) {
      throw RunError(fmt::format("kafka: topics {} were created but have no leaders yet",
                                 fmt::join(names, ", ")));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return names;
}

std::map<std::string, TopicShape> shapes_of(const KafkaSettings& settings,
                                            const std::vector<std::string>& topics) {
  AdminSession session(settings);
  const auto counts = session.partition_counts();
  auto configs = session.configs(topics);
  std::map<std::string, TopicShape> shapes;
  for (const std::string& topic : topics) {
    TopicShape& shape = shapes[topic];
    const auto count = counts.find(topic);
    if (count != counts.end()) shape.partitions = count->second;
    shape.compacted = configs[topic]["cleanup.policy"].find("compact") != std::string::npos;
  }
  return shapes;
}

TopicCheck check_topics(const KafkaSettings& settings) {
  throw_if_shared(settings);
  AdminSession session(settings);
  std::vector<TopicStatus> all = describe(session, settings, 0);
  std::erase_if(all, [](const TopicStatus& s) { return s.plan.role == redriven_role; });
  throw_if_missing(all);
  TopicCheck check;
  std::string first;
  for (const TopicStatus& status : all) {
    if (status.plan.role == name_of(Source::control) && status.partitions != 1) {
      throw RunError(fmt::format("kafka topic {} has {} partitions; control has exactly one",
                                 setting_of(status.plan), status.partitions));
    }
    if (!is_keyed_role(status.plan.role)) continue;
    if (check.partitions == 0) {
      check.partitions = status.partitions;
      first = setting_of(status.plan);
    }
    if (status.partitions != check.partitions) {
      throw RunError(fmt::format(
          "kafka topics {} and {} have {} and {} partitions; a merchant needs the same number in "
          "all of them",
          first, setting_of(status.plan), check.partitions, status.partitions));
    }
  }
  std::vector<std::string> names;
  for (const TopicStatus& status : all) names.push_back(status.plan.topic);
  auto configs = session.configs(names);
  const auto value_ms = [&configs](const std::string& topic, const std::string& name) {
    auto& values = configs[topic];
    return values.count(name) != 0 ? duration_ms(values[name]) : INT64_MAX;
  };
  std::int64_t inputs_ms = 0;
  for (const Source source : keyed_sources) {
    if (source == Source::merchants || settings.input(source).empty()) continue;
    inputs_ms = std::max(inputs_ms, value_ms(settings.input(source), retention));
  }
  const std::string& journal = settings.output(OutputTopic::journal);
  if (value_ms(journal, retention) < inputs_ms) {
    check.warnings.push_back(
        fmt::format("{}: {} is shorter than that of the inputs; state cannot be rebuilt beyond it",
                    journal, retention));
  }
  const std::string& merchants = settings.input(Source::merchants);
  const bool compacted = configs[merchants]["cleanup.policy"].find("compact") != std::string::npos;
  if (compacted && value_ms(merchants, compaction_lag) < inputs_ms) {
    check.warnings.push_back(fmt::format(
        "{}: {} is shorter than the retention of the inputs; a rebuilt state may miss profiles",
        merchants, compaction_lag));
  }
  return check;
}

}  // namespace tidemark
