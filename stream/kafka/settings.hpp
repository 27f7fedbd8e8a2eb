// What the Kafka room needs to know, filled from the configuration by stream/pipeline. Plain data;
// it is copied by whoever needs it and never changes after the start.
#pragma once

#include <array>
#include <map>
#include <string>

#include "kernels/data/event.hpp"
#include "stream/encode/output.hpp"

namespace tidemark {

/// The sources whose topics are keyed by merchant and shared out by the consumer group. control is
/// not among them: its one partition is read by every instance.
inline constexpr std::array<Source, 5> keyed_sources = {
    Source::payments, Source::invoices, Source::merchants, Source::signals, Source::feedback};

/// control.v1 has one partition.
inline constexpr int control_partition = 0;

/// What a reader may see of an input record's outcome.
enum class Delivery {
  exactly_once,   // it once: outputs, journal and offsets are one transaction
  at_least_once,  // it sooner, and after a crash or a takeover the same bytes again
};

/// How instances share the partitions.
enum class Assignment {
  classic,   // a consumer group, static members, everything anew at each rebalance
  consumer,  // a consumer group of KIP-848; brokers from 4.0 on
  manual,    // partition p is that of instance p mod instances
};

/// Where payments are on their way to the merchants, when features of payers are added to them: the
/// merchants' own are the last of the three then. `payments` is empty where others write by_payer.
struct PayerTopics {
  std::string payments, by_payer, enriched;
};

struct KafkaSettings {
  std::string bootstrap_servers, group_id, transactional_id;
  int connect_timeout_s = 30;
  /// Set for `serve`: once started, an absence of the brokers is waited out however long it lasts,
  /// and connect_timeout_s bounds only what must be answered while they are there.
  bool outlast_outages = false;
  /// kafka.client.<property>, straight to librdkafka; wins over our own choices, but for those that
  /// the promises rest on (see client.hpp).
  std::map<std::string, std::string> client;
  /// By Source and OutputTopic. An empty name means that the topic is not used.
  std::array<std::string, source_count> input_topics;
  std::array<std::string, output_topic_count> output_topics;
  /// All empty where there are no features of payers.
  PayerTopics payer_topics;
  /// Which dead letters were put back: for `redrive` alone.
  std::string redriven_topic;
  /// checkpoint.topic; empty where checkpoints have a directory or are not made.
  std::string checkpoint_topic;
  bool latency_profile = false;
  bool keep_headers = false;  // of what is read: costs time, so only where somebody looks at them
  Delivery delivery = Delivery::exactly_once;
  Assignment assignment = Assignment::classic;
  int ordinal = 0, instances = 1;  // of a manual assignment

  const std::string& input(Source source) const {
    return input_topics[static_cast<std::size_t>(source)];
  }
  /// Where a record of a source is written by others: payments may come by way of their payers.
  const std::string& entry(Source source) const {
    const bool hops = source == Source::payments && !payer_topics.payments.empty();
    return hops ? payer_topics.payments : input(source);
  }
  const std::string& output(OutputTopic topic) const {
    return output_topics[static_cast<std::size_t>(topic)];
  }
};

}  // namespace tidemark
