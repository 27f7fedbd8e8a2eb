// PlainReader: one partition of one topic from one offset to another, outside every group. Used for
// control.v1, for the journal and for the silent replay of inputs. Each reader belongs to one
// thread at a time; readers that share a ReaderClient share its connections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/data/raw_batch.hpp"
#include "stream/kafka/settings.hpp"

namespace tidemark {

inline constexpr std::int64_t log_beginning = -2;
inline constexpr std::int64_t log_stable_end = -1;  // the last stable offset when the reader opens
inline constexpr std::int64_t log_follow = INT64_MAX;

/// Offsets [from, until) of a partition. log_follow never ends; caught_up() tells when it is live.
struct ReadRange {
  std::string topic;
  int partition = 0;
  std::int64_t from = log_beginning;
  std::int64_t until = log_stable_end;
  Source source = Source::control;  // what the records are labelled with
  bool headers = false;             // keep them: see PlainReader::headers()
  bool what_is_left = false;        // where the log no longer reaches back to `from`, begin later
};

/// Names and values of one record's headers, in their order.
using RecordHeaders = std::vector<std::pair<std::string, std::string>>;

/// Connections to the cluster for any number of readers, used from any thread.
class ReaderClient {
 public:
  explicit ReaderClient(const KafkaSettings& settings);
  ~ReaderClient();
  ReaderClient(const ReaderClient&) = delete;
  ReaderClient& operator=(const ReaderClient&) = delete;

  /// First offset that the log still has, and the last stable offset (one past it).
  struct Bounds {
    std::int64_t begin = 0, stable_end = 0;
  };
  Bounds bounds(const std::string& topic, int partition);
  /// One past the last record, those of open transactions included.
  std::int64_t end(const std::string& topic, int partition);
  /// The bounds once every transaction that has written until now is over: a commit that has
  /// returned may show in the log some milliseconds later. Throws RunError when one stays open.
  Bounds settled_bounds(const std::string& topic, int partition);

 private:
  friend class PlainReader;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

class PlainReader {
 public:
  /// Throws RunError when the topic is not there, and when the log no longer reaches back to
  /// `range.from` (it says where the log begins), unless the range takes what is left.
  PlainReader(ReaderClient& client, const ReadRange& range);
  PlainReader(const KafkaSettings& settings, const ReadRange& range);
  ~PlainReader();
  PlainReader(PlainReader&&) noexcept;
  PlainReader& operator=(PlainReader&&) noexcept;

  /// Up to `records_max` committed records in offset order, waiting at most `timeout_ms` for the
  /// first. Empty when nothing came in time or when done(). Values are padded as RawBatch promises.
  std::shared_ptr<RawBatch> read(std::size_t records_max, int timeout_ms);

  /// Of the records of the last read(), where the range asks for them.
  const std::vector<RecordHeaders>& headers() const;

  /// Every record below `until` has been returned (never, when following).
  bool done() const;
  /// The end of the log was seen after the last record returned.
  bool caught_up() const;
  /// Where the next record will be: one past the last returned, or past the markers at the end.
  std::int64_t position() const;
  /// One past the last record that the last answer of the broker knew of, open transactions
  /// included; asks nobody.
  std::int64_t known_end() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
