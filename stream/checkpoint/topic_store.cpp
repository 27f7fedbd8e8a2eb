// Objects in a compacted topic, for clusters without a shared disk. Partition 0 holds what is
// needed to list, small records that every instance follows; the others hold the bodies, in parts
// that are read at their offsets when somebody asks. (With one partition it holds both.)
//
//   draft/<id>      name, partition, number of parts   before the first part
//   part/<id>/<n>   bytes
//   object/<name>   id, length, hash, offsets of parts  when all parts are acknowledged
//
// A name stands for a whole object or none, and compaction leaves all that is alive, because every
// key is written once, but for the name. Tombstones go from the name to its parts to its draft, so
// whatever a crash leaves is found by its draft, which is listed as a directory's would be.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "kernels/base/byte_codec.hpp"
#include "kernels/base/crash_point.hpp"
#include "kernels/base/failure.hpp"
#include "stream/checkpoint/store.hpp"
#include "stream/checkpoint/topic_format.hpp"
#include "stream/kafka/acked_writer.hpp"
#include "stream/kafka/partitioner.hpp"
#include "stream/kafka/reader.hpp"
#include "stream/kafka/topic_admin.hpp"

namespace tidemark {
namespace {

using std::chrono::steady_clock;

constexpr int index_partition = 0;
// A batch of one part stays below the usual message.max.bytes of 1 MiB.
constexpr std::size_t part_bytes = std::size_t{512} << 10;
constexpr std::size_t parts_at_once = 32;
constexpr std::size_t read_records_max = 1'000;
constexpr int read_timeout_ms = 50;
constexpr std::chrono::seconds stall_limit{10};
constexpr int stalls_max = 6;
// What lies between two objects is read over, where it is not much, before a new fetch is begun.
constexpr std::int64_t skipped_parts_max = 32;

constexpr std::string_view object_key = "object/", draft_key = "draft/", draft_ending = ".draft";

std::string part_key(const StoredBody& body, std::size_t part) {
  return fmt::format("part/{}/{}", body.id, part);
}

std::string new_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

std::chrono::seconds age_of(std::int64_t time_ms) {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const auto age = since - std::chrono::milliseconds(time_ms);
  return std::max(std::chrono::duration_cast<std::chrono::seconds>(age), std::chrono::seconds(0));
}

class TopicStore : public CheckpointStore {
 public:
  TopicStore(const KafkaSettings& settings, std::string topic)
      : settings_(settings), topic_(std::move(topic)), writer_(settings), client_(settings) {}

  void put(const std::string& name, std::string_view bytes) override;
  std::string get(const std::string& name) const override;
  std::vector<StoredObject> list(const std::string& folder) const override;
  std::vector<std::string> folders(const std::string& folder) const override;
  void remove(const std::string& name) override;
  std::string where() const override { return "topic " + topic_; }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw RunError(fmt::format("checkpoint store: topic {}: {}", topic_, what));
  }
  std::vector<std::int64_t> write(std::span<const RecordToWrite> records) {
    try {
      return writer_.write(records);
    } catch (const RunError& error) {
      fail(error.what());
    }
  }
  void write_index(const std::string& key, std::optional<std::string_view> value) {
    const RecordToWrite record{
        .topic = topic_, .partition = index_partition, .key = key, .value = value};
    write({&record, 1});
  }
  int body_partition(const std::string& name) const;
  void write_parts(StoredBody& body, std::string_view bytes);
  void discard(const StoredBody& body);
  void follow() const;
  void apply(const RawRecord& record) const;
  std::string read_body(const std::string& name, const StoredBody& body) const;

  const KafkaSettings settings_;
  const std::string topic_;
  AckedWriter writer_;
  mutable ReaderClient client_;  // of bodies and questions; the index is followed beside it

  mutable std::mutex index_mutex_;
  mutable int partitions_ = 0;
  mutable std::optional<PlainReader> follower_;
  mutable std::map<std::string, StoredBody> objects_;  // by name
  mutable std::map<std::string, BodyDraft> drafts_;    // by id

  mutable std::mutex body_mutex_;
  mutable std::optional<PlainReader> body_reader_;
  mutable int body_reader_partition_ = -1;
};

/// Reads partition 0 up to its end. The mutex of the index is held.
void TopicStore::follow() const {
  if (partitions_ == 0) {
    partitions_ = shapes_of(settings_, {topic_}).at(topic_).partitions;
    if (partitions_ == 0) {
      fail("there is no such topic (checkpoint.topic); `tidemark topics --create` makes it");
    }
  }
  if (!follower_)
    follower_.emplace(settings_, ReadRange{topic_, index_partition, log_beginning, log_follow});
  const std::int64_t end = client_.end(topic_, index_partition);
  auto progress = steady_clock::now();
  int stalls = 0;
  while (follower_->position() < end) {
    const std::int64_t before = follower_->position();
    const auto left = static_cast<std::size_t>(end - before);
    const auto batch = follower_->read(std::min(left, read_records_max), read_timeout_ms);
    for (const RawRecord& record : batch->records) apply(record);
    if (follower_->position() != before) {
      progress = steady_clock::now();
    } else if (steady_clock::now() - progress > stall_limit) {
      // Where nobody answers, this waits or throws; else the log is only slow to come.
      client_.end(topic_, index_partition);
      if (++stalls == stalls_max) fail("cannot be read to its end");
      progress = steady_clock::now();
    }
  }
}

void TopicStore::apply(const RawRecord& record) const {
  const std::string key(record.key);
  const bool gone = record.value.data() == nullptr;
  try {
    if (key.starts_with(object_key)) {
      const std::string name = key.substr(object_key.size());
      if (gone) {
        objects_.erase(name);
      } else {
        StoredBody body = decode_object(record.value);
        body.time_ms = record.kafka_time_ms;
        objects_[name] = std::move(body);
      }
    } else if (key.starts_with(draft_key)) {
      const std::string id = key.substr(draft_key.size());
      if (gone) {
        drafts_.erase(id);
      } else {
        BodyDraft draft = decode_draft(id, record.value);
        draft.body.time_ms = record.kafka_time_ms;
        drafts_[id] = std::move(draft);
      }
    }
  } catch (const MalformedBytes& malformed) {
    spdlog::warn("checkpoint store: topic {}: the record at offset {} {}; it is passed over",
                 topic_, record.offset, malformed.what);
  }
}

int TopicStore::body_partition(const std::string& name) const {
  if (partitions_ == 1) return index_partition;
  // A folder's bodies lie together, so that a restore reads one partition along.
  return 1 + partition_of(name.substr(0, name.rfind('/')), partitions_ - 1);
}

void TopicStore::put(const std::string& name, std::string_view bytes) {
  std::optional<StoredBody> before;
  StoredBody body;
  body.id = new_id();
  {
    const std::lock_guard lock(index_mutex_);
    follow();
    body.partition = body_partition(name);
    if (const auto known = objects_.find(name); known != objects_.end()) before = known->second;
  }
  body.bytes = bytes.size();
  body.hash = XXH3_64bits(bytes.data(), bytes.size());
  body.parts = (bytes.size() + part_bytes - 1) / part_bytes;
  write_index(std::string(draft_key) + body.id, encode_draft(name, body));
  crash_point("checkpoint-draft");
  write_parts(body, bytes);
  crash_point("checkpoint-parts");
  write_index(std::string(object_key) + name, encode_object(body));
  if (before) discard(*before);
}

void TopicStore::write_parts(StoredBody& body, std::string_view bytes) {
  for (std::size_t first = 0; first < body.parts; first += parts_at_once) {
    const std::size_t last = std::min(first + parts_at_once, body.parts);
    std::vector<std::string> keys;
    for (std::size_t part = first; part < last; ++part) keys.push_back(part_key(body, part));
    std::vector<RecordToWrite> records;
    for (std::size_t part = first; part < last; ++part) {
      records.push_back({.topic = topic_,
                         .partition = body.partition,
                         .key = keys[part - first],
                         .value = bytes.substr(part * part_bytes, part_bytes)});
    }
    const auto offsets = write(records);
    body.offsets.insert(body.offsets.end(), offsets.begin(), offsets.end());
  }
}

/// A body that has no name any more.
void TopicStore::discard(const StoredBody& body) {
  std::vector<std::string> keys;
  for (std::size_t part = 0; part < body.parts; ++part) keys.push_back(part_key(body, part));
  std::vector<RecordToWrite> tombstones;
  for (const std::string& key : keys) {
    tombstones.push_back({.topic = topic_, .partition = body.partition, .key = key});
  }
  if (!tombstones.empty()) write(tombstones);
  write_index(std::string(draft_key) + body.id, std::nullopt);
}

std::string TopicStore::get(const std::string& name) const {
  std::optional<StoredBody> body;
  {
    const std::lock_guard lock(index_mutex_);
    auto known = objects_.find(name);
    if (known == objects_.end()) {
      follow();
      known = objects_.find(name);
    }
    if (known != objects_.end()) body = known->second;
  }
  if (!body) fail("there is no " + name);
  std::string bytes = read_body(name, *body);
  if (bytes.size() != body->bytes || XXH3_64bits(bytes.data(), bytes.size()) != body->hash) {
    fail(name + " is not what was written");
  }
  return bytes;
}

std::string TopicStore::read_body(const std::string& name, const StoredBody& body) const {
  std::string bytes;
  if (body.offsets.empty()) return bytes;
  bytes.reserve(std::min<std::size_t>(body.bytes, body.offsets.size() * part_bytes));
  const std::lock_guard lock(body_mutex_);
  const std::int64_t first = body.offsets.front();
  const bool ahead = body_reader_ && body_reader_partition_ == body.partition &&
                     body_reader_->position() <= first &&
                     first - body_reader_->position() <= skipped_parts_max;
  if (!ahead) {
    body_reader_.reset();  // before another one asks for the same partition
    body_reader_.emplace(client_, ReadRange{topic_, body.partition, first, log_follow});
    body_reader_partition_ = body.partition;
  }
  std::size_t next = 0;
  auto progress = steady_clock::now();
  int stalls = 0;
  while (next < body.offsets.size() && body_reader_->position() <= body.offsets.back()) {
    const std::int64_t before = body_reader_->position();
    const auto left = static_cast<std::size_t>(body.offsets.back() + 1 - before);
    const auto batch = body_reader_->read(std::min(left, parts_at_once), read_timeout_ms);
    for (const RawRecord& record : batch->records) {
      if (next == body.offsets.size() || record.offset != body.offsets[next]) continue;
      bytes += record.value;
      ++next;
    }
    if (body_reader_->position() != before) {
      progress = steady_clock::now();
    } else if (steady_clock::now() - progress > stall_limit) {
      client_.end(topic_, body.partition);
      if (++stalls == stalls_max) fail(name + " cannot be read");
      progress = steady_clock::now();
    }
  }
  if (next != body.offsets.size()) fail(name + " has lost some of its parts");
  return bytes;
}

std::vector<StoredObject> TopicStore::list(const std::string& folder) const {
  const std::lock_guard lock(index_mutex_);
  follow();
  const std::string prefix = folder + "/";
  const auto is_inside = [&prefix](const std::string& name) {
    return name.starts_with(prefix) && name.find('/', prefix.size()) == std::string::npos;
  };
  std::vector<StoredObject> found;
  for (auto at = objects_.lower_bound(prefix); at != objects_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    if (!is_inside(at->first)) continue;
    found.push_back({at->first, at->second.bytes, age_of(at->second.time_ms)});
  }
  for (const auto& [id, draft] : drafts_) {
    if (!is_inside(draft.name)) continue;
    const auto object = objects_.find(draft.name);
    if (object != objects_.end() && object->second.id == id) continue;
    found.push_back(
        {fmt::format("{}.{}{}", draft.name, id, draft_ending), 0, age_of(draft.body.time_ms)});
  }
  std::sort(found.begin(), found.end(),
            [](const StoredObject& a, const StoredObject& b) { return a.name < b.name; });
  return found;
}

std::vector<std::string> TopicStore::folders(const std::string& folder) const {
  const std::lock_guard lock(index_mutex_);
  follow();
  const std::string prefix = folder + "/";
  std::set<std::string> found;
  for (auto at = objects_.lower_bound(prefix); at != objects_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    const std::size_t end = at->first.find('/', prefix.size());
    if (end == std::string::npos) continue;
    found.insert(at->first.substr(prefix.size(), end - prefix.size()));
  }
  return {found.begin(), found.end()};
}

void TopicStore::remove(const std::string& name) {
  std::optional<StoredBody> body;
  bool named = false;
  {
    const std::lock_guard lock(index_mutex_);
    follow();
    if (const auto object = objects_.find(name); object != objects_.end()) {
      body = object->second;
      named = true;
    } else if (name.ends_with(draft_ending)) {
      const std::string stem = name.substr(0, name.size() - draft_ending.size());
      const auto draft = drafts_.find(stem.substr(stem.rfind('.') + 1));
      if (draft != drafts_.end()) body = draft->second.body;
    }
  }
  if (!body) return;
  if (named) write_index(std::string(object_key) + name, std::nullopt);
  crash_point("checkpoint-removed");
  discard(*body);
}

}  // namespace

std::unique_ptr<CheckpointStore> open_topic_store(const KafkaSettings& settings,
                                                  const std::string& topic) {
  return std::make_unique<TopicStore>(settings, topic);
}

}  // namespace tidemark
