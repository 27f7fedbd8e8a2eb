// PlainReader and the questions about topics, against the simulated broker. Aborted records and
// markers are passed over, a read ends at the last stable offset.
#include "stream/kafka/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/base/failure.hpp"
#include "stream/kafka/pulse.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "tests/simulation/clients.hpp"

namespace tidemark {

using simulation::Entry;
using simulation::EntryState;
using simulation::Found;
using simulation::Log;
using simulation::world;

struct ReaderClient::Impl {};

ReaderClient::ReaderClient(const KafkaSettings&) : impl_(std::make_shared<Impl>()) {}
ReaderClient::~ReaderClient() = default;

ReaderClient::Bounds ReaderClient::bounds(const std::string& topic, int partition) {
  world().scheduler.step("bounds");
  const Log& log = world().broker.log(topic, partition);
  return {log.begin, log.stable_end()};
}

std::int64_t ReaderClient::end(const std::string& topic, int partition) {
  world().scheduler.step("end");
  return world().broker.log(topic, partition).end();
}

ReaderClient::Bounds ReaderClient::settled_bounds(const std::string& topic, int partition) {
  const std::int64_t written = end(topic, partition);
  const Log& log = world().broker.log(topic, partition);
  world().scheduler.wait("settled", [&] { return log.stable_end() >= written; });
  return {log.begin, log.stable_end()};
}

struct PlainReader::Impl {
  explicit Impl(const ReadRange& given)
      : range(given), log(world().broker.log(given.topic, given.partition)) {
    world().scheduler.step("open");
    const std::int64_t stable = log.stable_end();
    if (range.until == log_stable_end) range.until = stable;
    at = range.from == log_beginning ? log.begin : range.from;
    if (range.what_is_left) at = std::max(at, log.begin);
    if (at < log.begin) {
      throw RunError(
          fmt::format("{} [{}]: the log begins at offset {} and no longer reaches back to {}",
                      range.topic, range.partition, log.begin, at));
    }
    if (range.until != log_follow && range.until > stable) {
      throw RunError(fmt::format("{} [{}]: the log ends at offset {}, before {}", range.topic,
                                 range.partition, stable, range.until));
    }
  }

  ReadRange range;
  const Log& log;
  std::int64_t at = 0;
  bool caught_up = false;
  std::vector<RecordHeaders> headers;
};

PlainReader::PlainReader(ReaderClient&, const ReadRange& range)
    : impl_(std::make_unique<Impl>(range)) {}
PlainReader::PlainReader(const KafkaSettings&, const ReadRange& range)
    : impl_(std::make_unique<Impl>(range)) {}
PlainReader::~PlainReader() = default;
PlainReader::PlainReader(PlainReader&&) noexcept = default;
PlainReader& PlainReader::operator=(PlainReader&&) noexcept = default;

std::shared_ptr<RawBatch> PlainReader::read(std::size_t records_max, int timeout_ms) {
  Impl& self = *impl_;
  world().scheduler.step("read");
  if (timeout_ms > 0) world().scheduler.pass(100);
  self.headers.clear();
  std::vector<Found> found;
  const std::size_t most = std::min<std::size_t>(records_max, world().scheduler.random().below(40));
  const std::int64_t stable = std::min(self.log.stable_end(), self.range.until);
  self.caught_up = self.at >= self.log.stable_end();
  for (; self.at < stable; ++self.at) {
    const Entry& entry = self.log.at(self.at);
    if (entry.state != EntryState::committed) continue;
    if (found.size() == most) break;
    found.push_back({&entry, self.at, self.range.partition, self.range.source});
    if (self.range.headers) self.headers.push_back(entry.headers);
  }
  return simulation::copy_entries(found);
}

const std::vector<RecordHeaders>& PlainReader::headers() const {
  return impl_->headers;
}
bool PlainReader::done() const {
  return impl_->at >= impl_->range.until;
}
bool PlainReader::caught_up() const {
  return impl_->caught_up;
}
std::int64_t PlainReader::position() const {
  return impl_->at;
}
std::int64_t PlainReader::known_end() const {
  return std::max(impl_->log.end(), impl_->at);
}

struct Pulse::Impl {};
Pulse::Pulse(const KafkaSettings&) {}
Pulse::~Pulse() = default;
double Pulse::silent_s() const {
  return 0;
}

std::map<std::string, TopicShape> shapes_of(const KafkaSettings&,
                                            const std::vector<std::string>& topics) {
  std::map<std::string, TopicShape> shapes;
  for (const std::string& topic : topics) {
    const bool control = topic == world().config.kafka.input(Source::control);
    shapes[topic].partitions = control ? 1 : world().broker.partitions();
  }
  return shapes;
}

TopicCheck check_topics(const KafkaSettings&) {
  return {world().broker.partitions(), {}};
}

}  // namespace tidemark
