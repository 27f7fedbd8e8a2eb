// See writer.hpp.
#include "stream/checkpoint/writer.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <random>
#include <set>
#include <utility>

#include "kernels/base/crash_point.hpp"
#include "stream/checkpoint/compaction.hpp"

namespace tidemark {
namespace {

using std::chrono::steady_clock;

// What another writer may be about to name in a manifest of its own is left alone for so long.
constexpr std::chrono::hours foreign_age_min{1};

std::string random_name() {
  std::random_device device;
  return fmt::format("{:08x}", device());
}

}  // namespace

CheckpointWriter::CheckpointWriter(CheckpointStore& store, const Options& options)
    : store_(store),
      options_(options),
      name_(random_name()),
      thread_([this](auto& lock) { return work(lock); }) {}

void CheckpointWriter::open(int partition, std::optional<CheckpointManifest> from) {
  close(partition);
  auto line = std::make_shared<Line>();
  line->folder = checkpoint_folder(options_.group, partition);
  if (from) {
    line->chunks = from->chunks;
    line->status.last = std::make_shared<CheckpointManifest>(std::move(*from));
  }
  const auto lock = thread_.lock();
  lines_[partition] = std::move(line);
}

void CheckpointWriter::leave(int partition) {
  const auto lock = thread_.lock();
  const auto line = lines_.find(partition);
  if (line != lines_.end()) line->second->left = true;
}

void CheckpointWriter::close(int partition) {
  const auto lock = thread_.lock();
  const auto line = lines_.find(partition);
  if (line == lines_.end()) return;
  line->second->closed = true;
  lines_.erase(line);
}

void CheckpointWriter::submit(int partition, Job job) {
  auto lock = thread_.lock();
  const auto line = lines_.find(partition);
  if (line == lines_.end()) return;
  job.line = line->second;
  job.beginning = {steady_clock::now(), job.line->collections};
  // One job goes in however large it is, so that the bound cannot lock anybody out.
  thread_.wait(lock, [&] {
    return job.entries.empty() || backlog_bytes_ == 0 ||
           backlog_bytes_ + job.entries.size() <= options_.backlog_bytes_max;
  });
  backlog_bytes_ += job.entries.size();
  queue_.push_back(std::move(job));
  thread_.changed();
}

void CheckpointWriter::add(int partition, std::uint64_t generation, ChunkKind kind,
                           std::string entries, std::size_t count) {
  Job job;
  job.generation = generation;
  job.kind = kind;
  job.entries = std::move(entries);
  job.count = count;
  submit(partition, std::move(job));
}

void CheckpointWriter::seal(CheckpointManifest head) {
  const int partition = head.partition;
  Job job;
  job.generation = head.generation;
  job.head = std::move(head);
  submit(partition, std::move(job));
}

void CheckpointWriter::committed(int partition, std::uint64_t generation,
                                 std::int64_t journal_next) {
  Job job;
  job.generation = generation;
  job.journal_next = journal_next;
  submit(partition, std::move(job));
}

bool CheckpointWriter::begins_anew(int partition, std::uint64_t next) {
  const auto lock = thread_.lock();
  const auto line = lines_.find(partition);
  if (line == lines_.end() || !line->second->lost) return false;
  line->second->lost = false;
  line->second->first = next;
  return true;
}

bool CheckpointWriter::has_room() const {
  const auto lock = thread_.lock();
  return backlog_bytes_ < options_.backlog_bytes_max / 2;
}

void CheckpointWriter::settle() {
  auto lock = thread_.lock();
  thread_.wait(lock, [this] { return queue_.empty() && !busy_; });
}

std::optional<CheckpointWriter::Status> CheckpointWriter::status(int partition) const {
  const auto lock = thread_.lock();
  const auto line = lines_.find(partition);
  if (line == lines_.end()) return std::nullopt;
  return line->second->status;
}

bool CheckpointWriter::work(Background::Lock& lock) {
  if (queue_.empty()) return false;
  Job job = std::move(queue_.front());
  queue_.pop_front();
  busy_ = true;
  if (!job.line->closed && !job.line->lost && job.generation >= job.line->first) {
    lock.unlock();
    std::string why;
    try {
      do_job(job);
    } catch (const std::exception& error) {
      why = error.what();
    }
    lock.lock();
    if (!why.empty()) {
      spdlog::error("{}; the stream goes on, the next checkpoint will be a whole one", why);
      ++job.line->status.failures;
      job.line->lost = true;
      job.line->pending.clear();
      job.line->chunks.clear();
    }
  }
  busy_ = false;
  backlog_bytes_ -= job.entries.size();
  return true;
}

void CheckpointWriter::do_job(Job& job) {
  Line& line = *job.line;
  Pending& pending = line.pending[job.generation];
  if (pending.chunks.empty()) pending.since = steady_clock::now();
  if (job.head) {
    pending.head = std::move(job.head);
  } else if (job.journal_next) {
    pending.journal_next = job.journal_next;
  } else {
    if (job.kind == ChunkKind::rest) pending.beginning = job.beginning;
    pending.chunks.push_back(store_chunk(line, job.generation, job.kind, job.entries, job.count));
  }
  if (!pending.head || !pending.journal_next) return;
  Pending complete = std::move(pending);
  line.pending.erase(job.generation);
  publish(line, std::move(complete));
}

ChunkRef CheckpointWriter::store_chunk(const Line& line, std::uint64_t generation, ChunkKind kind,
                                       const std::string& entries, std::size_t count) {
  ChunkRef chunk;
  const std::string bytes = seal_chunk(kind, entries, chunk);
  chunk.name = fmt::format("{:012}-{:06}-{}.chunk", generation, ++sequence_, name_);
  chunk.generation = generation;
  chunk.entries = count;
  crash_point("checkpoint-chunk");
  store_.put(line.folder + "/" + chunk.name, bytes);
  return chunk;
}

void CheckpointWriter::publish(Line& line, Pending pending) {
  CheckpointManifest manifest = std::move(*pending.head);
  manifest.journal_next = *pending.journal_next;
  // Of what belongs to no merchant only the last counts.
  std::erase_if(line.chunks, [](const ChunkRef& c) { return c.kind == ChunkKind::rest; });
  line.chunks.insert(line.chunks.end(), pending.chunks.begin(), pending.chunks.end());
  manifest.chunks = line.chunks;
  crash_point("checkpoint-before-manifest");
  store_.put(manifest_name(manifest, name_), encode_manifest(manifest));
  crash_point("checkpoint-after-manifest");
  {
    const auto lock = thread_.lock();
    line.status.last = std::make_shared<CheckpointManifest>(manifest);
    ++line.status.published;
    const std::chrono::duration<double> took = steady_clock::now() - pending.since;
    line.status.write_seconds = took.count();
  }
  const std::int64_t journal_next = manifest.journal_next;
  compact(line, std::move(manifest));
  collect_garbage(line, journal_next, pending.beginning);
}

void CheckpointWriter::compact(Line& line, CheckpointManifest manifest) {
  const std::size_t merging = generations_to_merge(line.chunks);
  if (merging < 2) return;
  // `merging` generations from the end: one more than the last one that stays.
  std::size_t first = line.chunks.size(), seen = 0;
  while (first > 0) {
    if (first == line.chunks.size() ||
        line.chunks[first - 1].generation != line.chunks[first].generation) {
      if (++seen > merging) break;
    }
    --first;
  }
  const auto tail = line.chunks.begin() + static_cast<std::ptrdiff_t>(first);
  std::vector<ChunkRef> chunks(line.chunks.begin(), tail);
  const std::vector<ChunkRef> merged =
      merge_chunks(store_, line.folder, {tail, line.chunks.end()}, options_.ids_horizon_ms,
                   [&](ChunkKind kind, const std::string& entries, std::size_t count) {
                     return store_chunk(line, manifest.generation, kind, entries, count);
                   });
  chunks.insert(chunks.end(), merged.begin(), merged.end());
  std::copy_if(tail, line.chunks.end(), std::back_inserter(chunks),
               [](const ChunkRef& chunk) { return chunk.kind == ChunkKind::rest; });
  manifest.chunks = chunks;
  ++manifest.revision;
  crash_point("checkpoint-before-merged");
  store_.put(manifest_name(manifest, name_), encode_manifest(manifest));
  line.chunks = std::move(chunks);
  const auto lock = thread_.lock();
  line.status.last = std::make_shared<CheckpointManifest>(std::move(manifest));
}

/// A chunk goes when it was of no use before the checkpoint began that is being published: whoever
/// restored the partition meanwhile may build on a manifest that has just been replaced. What was
/// committed behind that beginning was an owner's, so the next one came later and found the new
/// manifest. To count collections alone is not enough: who sleeps with two checkpoints to publish
/// comes to the second one without having been an owner since the first. And the longer it slept,
/// the older may be what others have made since.
void CheckpointWriter::collect_garbage(Line& line, std::int64_t journal_next,
                                       const Beginning& beginning) {
  const auto foreign_age = foreign_age_min + (steady_clock::now() - beginning.at);
  std::set<std::string> kept;
  std::set<std::pair<std::int64_t, std::uint64_t>> states;
  for (const StoredManifest& stored : read_manifests(store_, line.folder)) {
    const CheckpointManifest& m = stored.manifest;
    // What is ahead of this writer is another's: a later owner's, or of topics that are no more.
    const bool ahead = m.journal_next > journal_next;
    // Newest first: the first revision of a state is its last, and the others have had their day.
    const bool keep = ahead ? stored.age <= foreign_age
                            : states.size() < static_cast<std::size_t>(options_.keep) &&
                                  states.emplace(m.journal_next, m.generation).second;
    if (!keep && stored.error.empty()) {
      store_.remove(stored.name);
      continue;
    }
    kept.insert(stored.name);
    for (const ChunkRef& chunk : m.chunks) kept.insert(line.folder + "/" + chunk.name);
  }
  for (const auto& [generation, pending] : line.pending) {
    for (const ChunkRef& chunk : pending.chunks) kept.insert(line.folder + "/" + chunk.name);
  }
  std::uint64_t collection = 0;
  {
    const auto lock = thread_.lock();
    if (line.left) return;
    collection = ++line.collections;
  }
  crash_point("checkpoint-before-removal");
  const auto unused_before = std::exchange(line.unused, {});
  for (const StoredObject& object : store_.list(line.folder)) {
    if (kept.contains(object.name)) continue;
    const bool mine = object.name.find("-" + name_ + ".") != std::string::npos;
    if (!mine) {
      if (object.age > foreign_age) store_.remove(object.name);
      continue;
    }
    const auto before = unused_before.find(object.name);
    const std::uint64_t since = before == unused_before.end() ? collection : before->second;
    if (since <= beginning.collections) {
      store_.remove(object.name);
    } else {
      line.unused.emplace(object.name, since);
    }
  }
}

}  // namespace tidemark
