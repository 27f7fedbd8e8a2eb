// The plain clients behind broker.hpp, and a test that they work by themselves.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "stream/kafka/topic_admin.hpp"
#include "tests/stream/kafka/broker.hpp"

namespace tidemark::testing {

namespace {

struct Destroy {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using Client = std::unique_ptr<rd_kafka_t, Destroy>;
using List = std::unique_ptr<rd_kafka_topic_partition_list_t, Destroy>;
using Error = std::unique_ptr<rd_kafka_error_t, Destroy>;
using Message = std::unique_ptr<rd_kafka_message_t, Destroy>;

void check(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

void check(rd_kafka_error_t* error) {
  const Error owned(error);
  check(error == nullptr, error ? rd_kafka_error_string(error) : "");
}

Client client(rd_kafka_type_t type, const std::map<std::string, std::string>& properties) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> why{};
  const auto set = [&](const std::string& name, const std::string& value) {
    check(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) ==
              RD_KAFKA_CONF_OK,
          why.data());
  };
  set("bootstrap.servers", Broker::instance().bootstrap());
  set("log_level", "0");
  for (const auto& [name, value] : properties) set(name, value);
  rd_kafka_t* made = rd_kafka_new(type, conf, why.data(), why.size());
  check(made != nullptr, why.data());
  return Client(made);
}

void produce(rd_kafka_t* producer, const std::string& topic, const PlainRecord& record) {
  const char* value = record.value ? record.value->data() : nullptr;
  const char* key = record.key ? record.key->data() : nullptr;
  const std::size_t value_bytes = record.value ? record.value->size() : 0;
  const std::size_t key_bytes = record.key ? record.key->size() : 0;
  check(rd_kafka_producev(
            producer, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_VALUE(const_cast<char*>(value), value_bytes), RD_KAFKA_V_KEY(key, key_bytes),
            RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR,
        "produce");
}

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  check(pipe != nullptr, "popen");
  std::string text;
  std::array<char, 256> part;
  while (std::fgets(part.data(), part.size(), pipe) != nullptr) text += part.data();
  if (pclose(pipe) != 0) return "";
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string script() {
  return std::string(TIDEMARK_SOURCE_DIR) + "/tools/kafka";
}

PlainRecord record_of(const rd_kafka_message_t& m) {
  PlainRecord record;
  if (m.key) record.key = std::string(static_cast<const char*>(m.key), m.key_len);
  if (m.payload) record.value = std::string(static_cast<const char*>(m.payload), m.len);
  record.partition = m.partition;
  record.offset = m.offset;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      record.headers[name] = std::string(static_cast<const char*>(value), size);
    }
  }
  return record;
}

}  // namespace

Broker& Broker::instance() {
  static Broker broker;
  return broker;
}

Broker::Broker() {
  const char* deps = std::getenv("TIDEMARK_DEPS");
  const char* home = std::getenv("HOME");
  const std::string jars =
      (deps ? std::string(deps) : std::string(home ? home : "") + "/.cache/tidemark") +
      "/kafka/libs";
  if (!std::filesystem::is_directory(jars)) {
    missing_ = "no Kafka jars in " + jars + " (tools/setup kafka)";
  } else if (std::system("command -v java >/dev/null") != 0) {
    missing_ = "no java (tools/setup kafka)";
  }
  if (!missing_.empty()) return;
  std::string pattern = std::filesystem::temp_directory_path() / "tidemark-broker-XXXXXX";
  folder_ = mkdtemp(pattern.data());
  start();
}

void Broker::start() {
  bootstrap_ =
      output_of(fmt::format("'{}' start '{}' --with-parent {}", script(), folder_, getpid()));
  check(!bootstrap_.empty(), "tools/kafka did not start a broker");
}

void Broker::kill() {
  output_of(fmt::format("'{}' kill '{}'", script(), folder_));
}

Broker::~Broker() {
  if (folder_.empty()) return;
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

KafkaSettings settings_for(const std::string& name) {
  KafkaSettings settings;
  settings.bootstrap_servers = Broker::instance().bootstrap();
  settings.group_id = name + "-group";
  settings.transactional_id = name + "-0";
  settings.connect_timeout_s = 20;
  for (int i = 0; i < source_count; ++i) {
    settings.input_topics[static_cast<std::size_t>(i)] =
        fmt::format("{}.{}", name, name_of(static_cast<Source>(i)));
  }
  for (int i = 0; i < output_topic_count; ++i) {
    settings.output_topics[static_cast<std::size_t>(i)] =
        fmt::format("{}.{}", name, name_of(static_cast<OutputTopic>(i)));
  }
  settings.redriven_topic = name + ".redriven";
  return settings;
}

KafkaSettings made_settings(const std::string& name, int partitions) {
  KafkaSettings settings = settings_for(name);
  create_topics(settings, partitions);
  return settings;
}

void write_plain(const std::string& topic, const std::vector<PlainRecord>& records) {
  // Idempotent, since one that tries again may turn records round.
  const Client producer = client(RD_KAFKA_PRODUCER, {{"partitioner", "murmur2_random"},
                                                     {"message.max.bytes", "67108864"},
                                                     {"enable.idempotence", "true"}});
  for (const PlainRecord& record : records) produce(producer.get(), topic, record);
  check(rd_kafka_flush(producer.get(), 20'000) == RD_KAFKA_RESP_ERR_NO_ERROR, "flush");
}

UpstreamTransaction::UpstreamTransaction(const std::string& id, const std::string& topic,
                                         const std::vector<PlainRecord>& records) {
  Client producer = client(RD_KAFKA_PRODUCER, {{"transactional.id", id}});
  check(rd_kafka_init_transactions(producer.get(), 20'000));
  check(rd_kafka_begin_transaction(producer.get()));
  for (const PlainRecord& record : records) produce(producer.get(), topic, record);
  check(rd_kafka_flush(producer.get(), 20'000) == RD_KAFKA_RESP_ERR_NO_ERROR, "flush");
  client_ = producer.release();
}

UpstreamTransaction::~UpstreamTransaction() {
  const Client owned(static_cast<rd_kafka_t*>(client_));
}

void UpstreamTransaction::commit() {
  check(rd_kafka_commit_transaction(static_cast<rd_kafka_t*>(client_), 20'000));
}

void UpstreamTransaction::abort() {
  check(rd_kafka_abort_transaction(static_cast<rd_kafka_t*>(client_), 20'000));
}

std::vector<PlainRecord> read_plain(const std::string& topic, int partition) {
  const Client consumer = client(RD_KAFKA_CONSUMER, {{"group.id", "plain-reader"},
                                                     {"isolation.level", "read_committed"},
                                                     {"enable.auto.commit", "false"},
                                                     {"fetch.wait.max.ms", "10"},
                                                     {"enable.partition.eof", "true"}});
  const List list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
      RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(consumer.get(), list.get());
  std::vector<PlainRecord> records;
  for (int tries = 0; tries < 200; ++tries) {
    const Message message(rd_kafka_consumer_poll(consumer.get(), 100));
    if (message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return records;
    if (message && !message->err) {
      records.push_back(record_of(*message));
      tries = 0;
    }
  }
  throw std::runtime_error(topic + ": no end of partition");
}

std::vector<PlainRecord> read_all(const std::string& topic, int partitions) {
  std::vector<PlainRecord> all;
  for (int p = 0; p < partitions; ++p) {
    for (PlainRecord& record : read_plain(topic, p)) all.push_back(std::move(record));
  }
  return all;
}

void delete_before(const std::string& topic, int partition, std::int64_t offset) {
  const Client admin = client(RD_KAFKA_PRODUCER, {});
  const List list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
  rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(list.get());
  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin.get());
  rd_kafka_DeleteRecords(admin.get(), &request, 1, nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 20'000);
  const bool done = event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_DeleteRecords_destroy(request);
  check(done, "delete records");
}

OutputBatch output(OutputTopic topic, std::optional<std::string> key,
                   std::optional<std::string> value, int partition) {
  OutputBatch batch;
  OutputRecord record;
  record.topic = topic;
  record.partition = partition;
  record.null_key = !key;
  record.null_value = !value;
  record.key_begin = 0;
  record.key_bytes = static_cast<std::uint32_t>(key ? key->size() : 0);
  batch.bytes = key.value_or("");
  record.value_begin = batch.bytes.size();
  record.value_bytes = static_cast<std::uint32_t>(value ? value->size() : 0);
  batch.bytes += value.value_or("");
  batch.records.push_back(record);
  return batch;
}

namespace {

TEST(BrokerSupport, PlainRecordsComeBack) {
  BROKER_OR_SKIP();
  const KafkaSettings settings = made_settings("support", 2);
  const std::string& topic = settings.input(Source::payments);
  write_plain(topic, {{"k", "v", 1, -1, {}}, {std::nullopt, std::nullopt, 1, -1, {}}});
  const auto records = read_plain(topic, 1);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].key, "k");
  EXPECT_EQ(records[0].value, "v");
  EXPECT_FALSE(records[1].key);
  EXPECT_FALSE(records[1].value);
  EXPECT_TRUE(read_plain(topic, 0).empty());
}

}  // namespace
}  // namespace tidemark::testing
