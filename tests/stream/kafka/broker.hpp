// A real broker for the tests of this folder, one a test program, started on first use and ended
// with the program; plain clients around it. Tests call BROKER_OR_SKIP() first.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stream/kafka/consumer.hpp"
#include "stream/kafka/reader.hpp"
#include "stream/kafka/settings.hpp"
#include "stream/kafka/transaction.hpp"

namespace tidemark::testing {

class Broker {
 public:
  /// The program's broker, or why there is none.
  static Broker& instance();
  const std::string& bootstrap() const { return bootstrap_; }
  const std::string& missing() const { return missing_; }
  /// Ends it as a power cut would; start() brings it back with its topics and its address.
  void kill();
  void start();

  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

 private:
  Broker();
  ~Broker();
  std::string folder_, bootstrap_, missing_;
};

#define BROKER_OR_SKIP()                                               \
  if (!::tidemark::testing::Broker::instance().missing().empty()) {    \
    GTEST_SKIP() << ::tidemark::testing::Broker::instance().missing(); \
  }

/// Settings with topic names of this test's own (`name` before each), group and id too.
KafkaSettings settings_for(const std::string& name);

/// The same with the topics made.
KafkaSettings made_settings(const std::string& name, int partitions);

/// A record to write or one that was read.
struct PlainRecord {
  std::optional<std::string> key, value;
  int partition = -1;
  std::int64_t offset = -1;
  std::map<std::string, std::string> headers;
};

/// Writes without a transaction, partitioner murmur2_random, and waits for the acknowledgements.
void write_plain(const std::string& topic, const std::vector<PlainRecord>& records);

/// An upstream transaction of its own: written, then committed, aborted or left open until this
/// object goes.
class UpstreamTransaction {
 public:
  UpstreamTransaction(const std::string& id, const std::string& topic,
                      const std::vector<PlainRecord>& records);
  ~UpstreamTransaction();
  void commit();
  void abort();
  UpstreamTransaction(const UpstreamTransaction&) = delete;
  UpstreamTransaction& operator=(const UpstreamTransaction&) = delete;

 private:
  void* client_ = nullptr;
};

/// What a read_committed consumer sees of one partition up to the last stable offset, with headers.
std::vector<PlainRecord> read_plain(const std::string& topic, int partition);
/// Of all partitions of a topic.
std::vector<PlainRecord> read_all(const std::string& topic, int partitions);

/// Removes all records before `offset`, as retention would.
void delete_before(const std::string& topic, int partition, std::int64_t offset);

/// One output record in a batch of its own.
OutputBatch output(OutputTopic topic, std::optional<std::string> key,
                   std::optional<std::string> value, int partition = any_partition);

/// Polls until the condition holds or 20 s have passed; returns whether it holds.
template <typename Poll, typename Holds>
bool poll_until(Poll poll, Holds holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds() && std::chrono::steady_clock::now() < end) poll();
  return holds();
}

}  // namespace tidemark::testing
