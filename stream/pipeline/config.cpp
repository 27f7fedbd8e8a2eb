// See config.hpp. The one place that knows names, ranges and defaults of settings.
#include "stream/pipeline/config.hpp"

#include <optional>
#include <thread>

#include "kernels/base/civil_time.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/base/read_file.hpp"
#include "kernels/base/strict_yaml.hpp"
#include "kernels/base/utf8.hpp"
#include "kernels/base/yaml_bounds.hpp"

namespace tidemark {
namespace {

/// Splits "kafka.client.security.protocol" into kafka, client, security.protocol: the names of
/// librdkafka's properties have dots of their own.
std::vector<std::string> split_path(const std::string& path) {
  static const std::string client = "kafka.client.";
  if (path.starts_with(client)) return {"kafka", "client", path.substr(client.size())};
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t dot; (dot = path.find('.', begin)) != std::string::npos; begin = dot + 1) {
    parts.push_back(path.substr(begin, dot - begin));
  }
  parts.push_back(path.substr(begin));
  return parts;
}

void apply_override(YAML::Node root, const std::string& option) {
  const auto fail = [&](const std::string& what) {
    throw UsageError("--set " + one_line(option + ": " + what, 600));
  };
  const std::size_t equals = option.find('=');
  if (equals == std::string::npos || equals == 0) fail("expected path.to.key=value");
  if (invalid_utf8_offset(option)) fail("is no UTF-8");
  YAML::Node at = root;
  const auto parts = split_path(option.substr(0, equals));
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    YAML::Node next = at[parts[i]];
    if (!next.IsDefined() || next.IsNull()) {
      at[parts[i]] = YAML::Node(YAML::NodeType::Map);
      next.reset(at[parts[i]]);
    }
    if (!next.IsMap()) fail("'" + parts[i] + "' is no mapping");
    at.reset(next);
  }
  const std::string value = option.substr(equals + 1);
  // A list is YAML; anything else is the text as it stands.
  try {
    if (value.starts_with('[')) check_yaml_bounds(value);
    at[parts.back()] = value.starts_with('[') ? YAML::Load(value) : YAML::Node(value);
  } catch (const YAML::ParserException& error) {
    fail(error.msg);
  }
}

void read_batching(YamlMap& root, Config& config) {
  const std::string delivery = root.text("delivery", "exactly_once");
  if (delivery != "exactly_once" && delivery != "at_least_once") {
    root.fail("delivery", "expected exactly_once or at_least_once, got '" + delivery + "'");
  }
  config.kafka.delivery =
      delivery == "exactly_once" ? Delivery::exactly_once : Delivery::at_least_once;
  config.profile = root.text("profile", "throughput");
  if (config.profile != "latency" && config.profile != "throughput") {
    root.fail("profile", "expected latency or throughput, got '" + config.profile + "'");
  }
  const bool latency = config.profile == "latency";
  YamlMap batch = root.map("batch");
  config.batch_events_max =
      static_cast<std::size_t>(batch.integer("events_max", latency ? 2'000 : 10'000, 1, 4'000'000));
  batch.done();
  YamlMap transaction = root.map("transaction");
  config.transaction_events_max = static_cast<std::size_t>(
      transaction.integer("events_max", latency ? 10'000 : 50'000, 1, 1'000'000));
  config.transaction_ms_max =
      static_cast<int>(transaction.integer("ms_max", latency ? 20 : 200, 1, 10'000));
  transaction.done();
  YamlMap merge = root.map("merge");
  config.merge_idle_ms = static_cast<int>(merge.integer("idle_ms", latency ? 5 : 50, 0, 60'000));
  merge.done();
}

void read_assignment(YamlMap& map, KafkaSettings& kafka) {
  const std::string name = map.text("assignment", "classic");
  if (name == "classic") {
    kafka.assignment = Assignment::classic;
  } else if (name == "consumer") {
    kafka.assignment = Assignment::consumer;
  } else if (name == "manual") {
    kafka.assignment = Assignment::manual;
  } else {
    map.fail("assignment", "expected classic, consumer or manual, got '" + name + "'");
  }
  kafka.instances = static_cast<int>(map.integer("instances", 1, 1, 100'000));
  kafka.ordinal = static_cast<int>(map.integer("ordinal", 0, 0, 100'000));
  if (kafka.assignment != Assignment::manual && (kafka.instances > 1 || kafka.ordinal > 0)) {
    map.fail("instances", "a group shares out its partitions itself; it is for assignment: manual");
  }
  if (kafka.ordinal >= kafka.instances) {
    map.fail("ordinal", "expected 0 to instances - 1 = " + std::to_string(kafka.instances - 1) +
                            ", got " + std::to_string(kafka.ordinal));
  }
}

void read_kafka(YamlMap& root, Config& config) {
  KafkaSettings& kafka = config.kafka;
  YamlMap map = root.map("kafka");
  kafka.bootstrap_servers = map.text("bootstrap_servers", "127.0.0.1:9092");
  kafka.group_id = map.text("group_id", "tidemark");
  kafka.transactional_id = map.text("transactional_id", "tidemark-0");
  kafka.connect_timeout_s = static_cast<int>(map.integer("connect_timeout_s", 30, 1, 3'600));
  read_assignment(map, kafka);
  kafka.latency_profile = config.profile == "latency";
  YamlMap client = map.map("client");
  for (const std::string& key : client.keys()) kafka.client[key] = client.text(key);
  YamlMap topics = map.map("topics");
  for (int i = 0; i < source_count; ++i) {
    const std::string name{name_of(static_cast<Source>(i))};
    kafka.input_topics[static_cast<std::size_t>(i)] = topics.text(name, name + ".v1");
  }
  for (int i = 0; i < output_topic_count; ++i) {
    const std::string name{name_of(static_cast<OutputTopic>(i))};
    kafka.output_topics[static_cast<std::size_t>(i)] = topics.text(name, name + ".v1");
  }
  config.by_payer_topic = topics.text("payments-by-payer", "payments-by-payer.v1");
  config.enriched_topic = topics.text("payments-enriched", "payments-enriched.v1");
  kafka.redriven_topic = topics.text("redriven", "redriven.v1");
  topics.done();
  map.done();
}

void read_stages(YamlMap& root, Config& config) {
  for (const YAML::Node& node : root.list("stages")) {
    const std::string name = node.IsScalar() ? node.Scalar() : "";
    const auto stage = name == "rekey"       ? std::optional(Stage::rekey)
                       : name == "payers"    ? std::optional(Stage::payers)
                       : name == "merchants" ? std::optional(Stage::merchants)
                                             : std::nullopt;
    if (!stage) YamlMap::fail_at(root.origin(), node, "expected rekey, payers or merchants");
    if (!config.stages.empty() && *stage <= config.stages.back()) {
      YamlMap::fail_at(root.origin(), node, "stages are named once each, in the order of the flow");
    }
    config.stages.push_back(*stage);
  }
}

void read_time(YamlMap& root, Config& config) {
  YamlMap time = root.map("time");
  config.zone = time.text("zone", "UTC");
  if (find_zone(config.zone) == nullptr) {
    time.fail("zone", "'" + config.zone + "' is not in the machine's IANA data");
  }
  config.future_tolerance_ms = time.integer("future_tolerance_h", 24, 0, 24 * 366) * ms_per_hour;
  config.dedup_horizon_ms = time.integer("dedup_horizon_h", 48, 0, 24 * 366) * ms_per_hour;
  config.sweep_interval_ms = time.integer("sweep_interval_h", 24, 0, 24 * 366) * ms_per_hour;
  time.done();
}

}  // namespace

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  const YAML::Node tree = parse_yaml(read_file(file, yaml_bytes_max), file.string());
  YamlMap root(tree, file.string());
  if (!overrides.empty()) {
    for (const std::string& option : overrides) apply_override(tree, option);
    root = YamlMap(tree, file.string());
  }
  Config config;
  config.file = file.string();
  YamlMap features = root.map("features");
  config.features_spec = features.text("spec");
  if (config.features_spec.empty()) features.fail("spec", "expected a file");
  config.features_rates = features.text("rates", "");
  features.done();
  config.bundle = root.text("bundle");
  if (!config.features_rates.empty() && !config.bundle.empty()) {
    features.fail("rates", "is for runs without a bundle; a bundle's manifest names its own");
  }
  for (const YAML::Node& bundle : root.list("previous_bundles")) {
    if (!bundle.IsScalar()) YamlMap::fail_at(root.origin(), bundle, "expected a directory");
    config.previous_bundles.emplace_back(bundle.Scalar());
  }
  config.backend = root.text("backend", "auto");
  if (config.backend != "auto" && config.backend != "cpu" && config.backend != "cuda") {
    root.fail("backend", "expected auto, cpu or cuda, got '" + config.backend + "'");
  }
  config.threads = static_cast<int>(root.integer("threads", 0, 0, 1'024));
  if (config.threads == 0) {
    config.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  }
  read_batching(root, config);
  YamlMap capacity = root.map("capacity");
  config.merchants_max =
      static_cast<std::uint32_t>(capacity.integer("merchants_max", 1'000'000, 1, 1'000'000'000));
  config.payers_max =
      static_cast<std::uint32_t>(capacity.integer("payers_max", 10'000'000, 1, 1'000'000'000));
  config.dedup_events_max = static_cast<std::uint64_t>(
      capacity.integer("dedup_events_max", 50'000'000, 1, 10'000'000'000));
  config.value_bytes_max =
      static_cast<std::size_t>(capacity.integer("value_bytes_max", 1 << 20, 1'024, 64 << 20));
  capacity.done();
  read_time(root, config);
  YamlMap dead_letters = root.map("dead_letters");
  config.dead_letters_max =
      static_cast<std::uint64_t>(dead_letters.integer("max", 5'000, 0, 10'000'000));
  config.dead_letters_of_last =
      static_cast<std::uint64_t>(dead_letters.integer("of_last", 10'000, 1, 10'000'000));
  dead_letters.done();
  YamlMap checkpoint = root.map("checkpoint");
  config.checkpoint_directory = checkpoint.text("directory", "");
  config.checkpoint_interval_s =
      static_cast<int>(checkpoint.integer("interval_s", 60, 1, 24 * 3'600));
  config.checkpoint_keep = static_cast<int>(checkpoint.integer("keep", 2, 1, 1'000));
  const std::string checkpoint_topic = checkpoint.text("topic", "");
  if (!checkpoint_topic.empty() && !config.checkpoint_directory.empty()) {
    checkpoint.fail("topic", "checkpoint.directory is given too; checkpoints have one store");
  }
  checkpoint.done();
  YamlMap standby = root.map("standby");
  config.standby_bytes_max =
      static_cast<std::size_t>(standby.integer("memory_mb_max", 0, 0, 16'000'000)) << 20;
  if (config.standby_bytes_max > 0 && config.kafka.delivery == Delivery::at_least_once) {
    standby.fail("memory_mb_max", "a standby goes with delivery: exactly_once");
  }
  standby.done();
  YamlMap http = root.map("http");
  config.http_host = http.text("host", "127.0.0.1");
  config.http_port = static_cast<int>(http.integer("port", 0, 0, 65'535));
  http.done();
  read_stages(root, config);
  read_kafka(root, config);
  config.kafka.checkpoint_topic = checkpoint_topic;
  root.done();
  return config;
}

}  // namespace tidemark
