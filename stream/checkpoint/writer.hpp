// CheckpointWriter: the thread that compresses, stores and publishes checkpoints, so that the
// engine only copies. A checkpoint of a partition is published when its last chunk is stored and
// its transaction is committed; then older ones are removed and small ones merged. A store that
// fails costs checkpoints, never the stream: it is logged, counted, and the next one is a whole.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernels/runtime/background.hpp"
#include "stream/checkpoint/manifest.hpp"
#include "stream/checkpoint/store.hpp"

namespace tidemark {

class CheckpointWriter {
 public:
  struct Options {
    std::string group;                                       // consumer group, for the folders
    int keep = 2;                                            // states to go back to
    std::size_t backlog_bytes_max = std::size_t{256} << 20;  // that wait to be written
    std::int64_t ids_horizon_ms = 0;
  };
  /// Of one partition, since open().
  struct Status {
    std::shared_ptr<const CheckpointManifest>
        last;  // published by this writer, or what it began from
    std::uint64_t published = 0, failures = 0;
    double write_seconds = 0;  // the last one: from its first chunk to its manifest
  };

  /// `store` must outlive the writer.
  /// What is not published when it ends is dropped.
  CheckpointWriter(CheckpointStore& store, const Options& options);

  /// A partition begins; its next generation builds on the chunks of `from`, where there is one.
  void open(int partition, std::optional<CheckpointManifest> from);
  /// The partition is about to be given up, perhaps has been already: what it still publishes takes
  /// no chunk away, as the next owner may build on it.
  void leave(int partition);
  /// Forgets the partition and whatever of it is unpublished.
  void close(int partition);

  /// Entries of a generation; `rest`, which is one chunk, when its transaction is about to be
  /// committed and no sooner. Waits while the backlog is full.
  void add(int partition, std::uint64_t generation, ChunkKind kind, std::string entries,
           std::size_t count);
  /// All of the generation was added; `head` says the rest, but for journal_next and chunks.
  void seal(CheckpointManifest head);
  /// The transaction behind the generation is committed; the journal goes on at `journal_next` or
  /// behind it. Any thread.
  void committed(int partition, std::uint64_t generation, std::int64_t journal_next);

  /// True when a generation was lost: then `next` has to hold everything, and what is still to come
  /// of those before it is dropped.
  bool begins_anew(int partition, std::uint64_t next);
  bool has_room() const;
  /// Waits until all that was handed over is done.
  void settle();
  std::optional<Status> status(int partition) const;

 private:
  /// When a generation began, by its `rest`: whoever commits behind it still owned the partition.
  struct Beginning {
    std::chrono::steady_clock::time_point at;
    std::uint64_t collections = 0;  // of garbage that were over
  };
  struct Pending {
    Beginning beginning;
    std::vector<ChunkRef> chunks;
    std::optional<CheckpointManifest> head;
    std::optional<std::int64_t> journal_next;
    std::chrono::steady_clock::time_point since;
  };
  /// A partition from open() to close(). The thread alone uses what stands first.
  struct Line {
    std::string folder;
    std::vector<ChunkRef> chunks;  // of the last manifest
    std::map<std::uint64_t, Pending> pending;
    std::map<std::string, std::uint64_t> unused;  // chunks, and the first collection that said so
    // Under the lock from here on.
    std::uint64_t collections = 0;
    bool lost = false, left = false, closed = false;
    std::uint64_t first = 0;  // generations before it are dropped
    Status status;
  };
  struct Job {
    std::shared_ptr<Line> line;
    std::uint64_t generation = 0;
    Beginning beginning;
    ChunkKind kind = ChunkKind::merchants;
    std::string entries;
    std::size_t count = 0;
    std::optional<CheckpointManifest> head;
    std::optional<std::int64_t> journal_next;
  };

  void submit(int partition, Job job);
  bool work(Background::Lock& lock);
  void do_job(Job& job);
  ChunkRef store_chunk(const Line& line, std::uint64_t generation, ChunkKind kind,
                       const std::string& entries, std::size_t count);
  void publish(Line& line, Pending pending);
  void compact(Line& line, CheckpointManifest manifest);
  void collect_garbage(Line& line, std::int64_t journal_next, const Beginning& beginning);

  CheckpointStore& store_;
  const Options options_;
  const std::string name_;      // of this writer among others that use the store
  std::uint64_t sequence_ = 0;  // of chunks, for their names
  // Under the lock of the thread.
  std::map<int, std::shared_ptr<Line>> lines_;
  std::deque<Job> queue_;
  std::size_t backlog_bytes_ = 0;
  bool busy_ = false;
  Background thread_;  // last: it begins when the others are there
};

}  // namespace tidemark
