// Configuration, logging and ownership of librdkafka clients. librdkafka calls log_line and
// on_error from its own threads or from poll; they only note and log.
#include "stream/kafka/client.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/kafka/errors.hpp"

namespace tidemark::kafka {

void Destroy::operator()(rd_kafka_s* client) const {
  rd_kafka_destroy(client);
}
void Destroy::operator()(rd_kafka_conf_s* conf) const {
  rd_kafka_conf_destroy(conf);
}
void Destroy::operator()(rd_kafka_topic_s* topic) const {
  rd_kafka_topic_destroy(topic);
}
void Destroy::operator()(rd_kafka_queue_s* queue) const {
  rd_kafka_queue_destroy(queue);
}
void Destroy::operator()(rd_kafka_topic_partition_list_s* list) const {
  rd_kafka_topic_partition_list_destroy(list);
}
void Destroy::operator()(rd_kafka_consumer_group_metadata_s* metadata) const {
  rd_kafka_consumer_group_metadata_destroy(metadata);
}
void Destroy::operator()(rd_kafka_error_s* error) const {
  rd_kafka_error_destroy(error);
}

void ClientWatch::note_error(const std::string& text) {
  std::lock_guard lock(mutex_);
  last_error_ = text;
}

std::string ClientWatch::last_error() {
  std::lock_guard lock(mutex_);
  return last_error_;
}

bool ClientWatch::connection_line_is_due() {
  constexpr std::chrono::seconds between_lines{30};
  std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now < next_line_) return false;
  next_line_ = now + between_lines;
  return true;
}

int Deadline::left_ms() const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      end_ - std::chrono::steady_clock::now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

void throw_unreachable(const KafkaSettings& settings, ClientWatch& watch) {
  const std::string last = watch.last_error();
  throw RunError(fmt::format(
      "kafka: no broker of '{}' answered within {} s "
      "(kafka.bootstrap_servers, kafka.connect_timeout_s){}{}",
      settings.bootstrap_servers, settings.connect_timeout_s, last.empty() ? "" : ": ", last));
}

namespace {

ClientWatch& watch_of(const rd_kafka_t* client) {
  return *static_cast<ClientWatch*>(rd_kafka_opaque(client));
}

/// A response that never came may have taken effect on the broker (a delayed EndTxn can end a later
/// transaction), so the sink replaces its producer after any of these.
bool is_transport_trouble(std::string_view facility) {
  return facility == "FAIL" || facility == "REQTMOUT" || facility == "TXNERR";
}

void log_line(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  ClientWatch& watch = watch_of(client);
  if (is_transport_trouble(facility)) {
    watch.transport_trouble.store(true, std::memory_order_relaxed);
    watch.note_error(text);
  }
  // Our own lines say what a failed transaction means; a property of consumers given to a producer
  // is no matter, since kafka.client.* goes to all clients; a producer id asked for again is usual.
  constexpr std::array<std::string_view, 4> said_elsewhere = {"CONFWARN", "GETPID", "TXNERR",
                                                              "FATAL"};
  const bool minor =
      watch.quiet ||
      std::find(said_elsewhere.begin(), said_elsewhere.end(), facility) != said_elsewhere.end() ||
      (std::string_view(facility) == "FAIL" && !watch.connection_line_is_due());
  const auto severity = minor        ? spdlog::level::debug
                        : level <= 4 ? spdlog::level::warn
                        : level <= 6 ? spdlog::level::info
                                     : spdlog::level::debug;
  spdlog::log(severity, "kafka {}: {}: {}", rd_kafka_name(client), facility, text);
}

void on_error(rd_kafka_t* client, int code, const char* reason, void*) {
  ClientWatch& watch = watch_of(client);
  const auto error = static_cast<rd_kafka_resp_err_t>(code);
  watch.note_error(fmt::format("{} ({})", reason, rd_kafka_err2name(error)));
  const bool minor =
      watch.quiet || (classify(code) == ErrorClass::away && !watch.connection_line_is_due());
  spdlog::log(minor ? spdlog::level::debug : spdlog::level::warn, "kafka {}: {}",
              rd_kafka_name(client), reason);
}

struct Property {
  std::string name, value;
  bool pinned = false;  // a promise rests on it
};

/// Figures behind the numbers: batches of 4 MiB a partition and 256 MiB in all keep one thread busy
/// without unbounded memory; a full queue is looked at again after 10 ms instead of a second.
std::vector<Property> consumer_properties(const KafkaSettings& settings, bool group) {
  std::vector<Property> all = {
      {"enable.auto.commit", "false", true},
      {"enable.auto.offset.store", "false", true},
      {"enable.partition.eof", "true", true},
      {"isolation.level", "read_committed", true},
      {"auto.offset.reset", "error", true},
      {"fetch.message.max.bytes", "4194304"},
      {"fetch.wait.max.ms", settings.latency_profile ? "10" : "50"},
      {"fetch.queue.backoff.ms", "10"},
      {"queued.min.messages", group ? "300000" : "100000"},
      {"queued.max.messages.kbytes", group ? "262144" : "16384"},
  };
  if (!group) return all;
  all.push_back({"group.id", settings.group_id, true});
  // A member that recovers from the log's start polls seldom.
  all.push_back({"max.poll.interval.ms", "3600000"});
  if (settings.assignment == Assignment::consumer) {
    all.push_back({"group.protocol", "consumer", true});
    // The broker keeps a dead static member's place and refuses the one that comes back, so members
    // have no instance id there; their client id tells whether another instance lives.
    all.push_back({"client.id", settings.transactional_id, true});
    return all;
  }
  const Property members[] = {
      {"group.protocol", "classic", true},
      // One owner for all sources of a partition number: range gives that, no sticky one does.
      {"partition.assignment.strategy", "range", true},
      // Who is in the group under it tells whether another instance lives: see fence.hpp.
      {"group.instance.id", settings.transactional_id, true},
      {"session.timeout.ms", "6000"},
      {"heartbeat.interval.ms", "1500"},
  };
  all.insert(all.end(), std::begin(members), std::end(members));
  return all;
}

std::vector<Property> producer_properties(const KafkaSettings& settings) {
  constexpr int answer_ms_max = 10'000;
  const auto given = settings.client.find("socket.timeout.ms");
  const int answer_ms =
      given == settings.client.end() ? answer_ms_max : std::atoi(given->second.c_str());
  std::vector<Property> all = {
      {"enable.idempotence", "true", true},
      {"partitioner", "murmur2_random", true},
      {"compression.codec", "lz4"},
      {"linger.ms", settings.latency_profile ? "0" : "5"},
      {"queue.buffering.max.messages", "1000000"},
      {"queue.buffering.max.kbytes", "524288"},
      {"batch.size", "1000000"},
      {"batch.num.messages", "50000"},
      {"message.max.bytes", std::to_string(record_bytes_max)},
      {"socket.timeout.ms", std::to_string(answer_ms_max)},
      // A request to a group's coordinator that has died and left the metadata is tried again only
      // when some connection opens or closes; without this, send_offsets waits for ever. Up to 2 s
      // less are taken, and a connection that still waits for an answer must never count as idle.
      {"connections.max.idle.ms", std::to_string(answer_ms + 3000)},
      // A connection that closes inside a transaction shows nowhere but in the log (log_line).
      {"log.connection.close", "true"},
      {"log_level", "6"},
  };
  if (settings.delivery == Delivery::at_least_once) return all;
  all.push_back({"transactional.id", settings.transactional_id, true});
  // An abandoned transaction hides everything behind it from readers for so long.
  all.push_back({"transaction.timeout.ms", "20000"});
  return all;
}

/// For large records that are waited for: bodies that are compressed already, one to a batch.
std::vector<Property> writer_properties(const KafkaSettings& settings) {
  return {
      {"enable.idempotence", "true", true},
      {"acks", "all", true},
      {"partitioner", "murmur2_random", true},
      {"message.timeout.ms", std::to_string(settings.connect_timeout_s * 1000)},
      {"linger.ms", "0"},
      {"queue.buffering.max.kbytes", "524288"},
      {"message.max.bytes", std::to_string(record_bytes_max)},
  };
}

std::vector<Property> properties(const KafkaSettings& settings, ClientKind kind) {
  std::vector<Property> all;
  if (kind == ClientKind::group_consumer) all = consumer_properties(settings, true);
  if (kind == ClientKind::reader) all = consumer_properties(settings, false);
  if (kind == ClientKind::group_observer) all = {{"group.id", settings.group_id, true}};
  if (kind == ClientKind::producer) all = producer_properties(settings);
  if (kind == ClientKind::writer) all = writer_properties(settings);
  all.push_back({"bootstrap.servers", settings.bootstrap_servers, true});
  if (!settings.transactional_id.empty()) all.push_back({"client.id", settings.transactional_id});
  all.push_back({"socket.nagle.disable", "true"});
  // Brokers that come back after a long absence are met within seconds.
  all.push_back({"reconnect.backoff.max.ms", "2000"});
  if (kind != ClientKind::producer) all.push_back({"log.connection.close", "false"});
  return all;
}

void set(rd_kafka_conf_t* conf, const std::string& label, const std::string& name,
         const std::string& value) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) !=
      RD_KAFKA_CONF_OK) {
    throw UsageError(fmt::format("{}: {}", label, why.data()));
  }
}

/// Properties that belong to one kind of client only; the others would refuse to start with them.
/// How much the producer logs is ours: we listen to it.
bool concerns(ClientKind kind, const std::string& name) {
  const bool producer = kind == ClientKind::producer;
  if (name.rfind("log", 0) == 0) return !producer;
  if (name == "transactional.id") return false;  // ours, where there are transactions
  const bool member = kind == ClientKind::group_consumer;
  if (name.rfind("transaction", 0) == 0) return producer;
  if (name == "enable.idempotence") return producer || kind == ClientKind::writer;
  if (name.rfind("group.", 0) == 0 || name == "session.timeout.ms" ||
      name == "heartbeat.interval.ms" || name == "max.poll.interval.ms") {
    return member;
  }
  return true;
}

const char* setting_of(const std::string& property) {
  if (property == "bootstrap.servers") return "kafka.bootstrap_servers";
  if (property == "group.id") return "kafka.group_id";
  if (property == "group.protocol") return "kafka.assignment";
  if (property == "transactional.id" || property == "group.instance.id" ||
      property == "client.id") {
    return "kafka.transactional_id";
  }
  return nullptr;
}

/// Checked on every kind of client, so that a wrong property stops the first one that is made.
void check_pinned(const KafkaSettings& settings) {
  std::vector<Property> all = consumer_properties(settings, true);
  for (Property& p : producer_properties(settings)) all.push_back(std::move(p));
  all.push_back({"bootstrap.servers", settings.bootstrap_servers, true});
  // Outside transactions too: a producer with an id refuses to work without them.
  all.push_back({"transactional.id", settings.transactional_id, true});
  for (const Property& p : all) {
    const auto given = settings.client.find(p.name);
    if (!p.pinned || given == settings.client.end() || given->second == p.value) continue;
    if (const char* setting = setting_of(p.name)) {
      throw UsageError(fmt::format("kafka.client.{}: set {} instead", p.name, setting));
    }
    throw UsageError(
        fmt::format("kafka.client.{}: must stay '{}', exactly-once rests on it", p.name, p.value));
  }
}

}  // namespace

ConfHandle make_conf(const KafkaSettings& settings, ClientKind kind, ClientWatch& watch) {
  if (settings.bootstrap_servers.empty()) throw UsageError("kafka.bootstrap_servers is empty");
  const bool of_group = kind == ClientKind::group_consumer || kind == ClientKind::group_observer;
  if (of_group && settings.group_id.empty()) {
    throw UsageError("kafka.group_id is empty");
  }
  if (kind == ClientKind::producer && settings.transactional_id.empty()) {
    throw UsageError("kafka.transactional_id is empty");
  }
  check_pinned(settings);
  watch.quiet = kind != ClientKind::group_consumer && kind != ClientKind::producer;
  ConfHandle conf(rd_kafka_conf_new());
  rd_kafka_conf_set_opaque(conf.get(), &watch);
  rd_kafka_conf_set_log_cb(conf.get(), log_line);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  for (const Property& p : properties(settings, kind)) {
    const char* setting = setting_of(p.name);
    set(conf.get(), setting ? setting : p.name, p.name, p.value);
  }
  ConfHandle scratch(rd_kafka_conf_new());  // names and values are checked for every kind
  for (const auto& [name, value] : settings.client) {
    set(concerns(kind, name) ? conf.get() : scratch.get(), "kafka.client." + name, name, value);
  }
  return conf;
}

ClientHandle make_client(ConfHandle conf, ClientKind kind) {
  const bool consumes = kind == ClientKind::group_consumer || kind == ClientKind::group_observer ||
                        kind == ClientKind::reader;
  std::array<char, 512> why{};
  rd_kafka_t* client = rd_kafka_new(consumes ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf.get(),
                                    why.data(), why.size());
  if (client == nullptr) throw UsageError(fmt::format("kafka.client: {}", why.data()));
  (void)conf.release();  // the client owns it now
  return ClientHandle(client);
}

}  // namespace tidemark::kafka
