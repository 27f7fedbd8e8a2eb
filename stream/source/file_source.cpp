// FileSource: chunks of the file, each with whole lines and the start of the next one, which moves
// into the chunk after it. Chunks return to a pool when the last batch over them is dropped,
// because fresh pages cost as much as finding the lines in them.
#include "stream/source/file_source.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

namespace tidemark {

struct FileSource::Chunk {
  std::unique_ptr<char[]> data;
  std::size_t capacity = 0;  // without the padding behind it
};

/// Outlives the source for as long as a chunk is in use; chunks come back from any thread.
class FileSource::Pool : public std::enable_shared_from_this<Pool> {
 public:
  explicit Pool(std::size_t capacity) : capacity_(capacity) {}

  /// At least the pool's own capacity; only an overlong line asks for more.
  std::shared_ptr<Chunk> take(std::size_t capacity) {
    auto chunk = capacity == capacity_ ? reuse() : nullptr;
    if (chunk == nullptr) {
      chunk = std::make_unique<Chunk>();
      chunk->data.reset(new char[capacity + raw_padding_bytes]);
      chunk->capacity = capacity;
    }
    return {chunk.release(),
            [pool = shared_from_this()](Chunk* done) { pool->give(std::unique_ptr<Chunk>(done)); }};
  }

 private:
  static constexpr std::size_t idle_max = 8;

  std::unique_ptr<Chunk> reuse() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return nullptr;
    auto chunk = std::move(idle_.back());
    idle_.pop_back();
    return chunk;
  }
  void give(std::unique_ptr<Chunk> chunk) {
    const std::lock_guard lock(mutex_);
    if (chunk->capacity == capacity_ && idle_.size() < idle_max) idle_.push_back(std::move(chunk));
  }

  const std::size_t capacity_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Chunk>> idle_;
};

namespace {

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

FileSource::FileSource(Source source, const std::string& path, std::int64_t now_ms,
                       FileSourceOptions options)
    : source_(source),
      now_ms_(now_ms),
      options_(options),
      bytes_(ByteStream::open(path)),
      pool_(std::make_shared<Pool>(options.chunk_bytes)) {}

FileSource::~FileSource() = default;

/// A new chunk that begins with what is left of the old one. False: the file had ended before.
bool FileSource::refill() {
  if (at_end_) return false;
  const std::size_t left = end_ - begin_;
  const std::size_t capacity = std::max(options_.chunk_bytes, left * 2);
  auto fresh = pool_->take(capacity);
  if (left != 0) std::memcpy(fresh->data.get(), chunk_->data.get() + begin_, left);
  std::size_t filled = left;
  while (filled < capacity) {
    const std::size_t got = bytes_->read(fresh->data.get() + filled, capacity - filled);
    if (got == 0) {
      at_end_ = true;
      break;
    }
    filled += got;
  }
  std::memset(fresh->data.get() + filled, 0, raw_padding_bytes);
  chunk_ = std::move(fresh);
  begin_ = 0;
  end_ = filled;
  return true;
}

/// A whole line of the current chunk, without its end, or the start of an overlong one. False: the
/// chunk holds neither.
bool FileSource::next_line(std::string_view& line) {
  if (begin_ == end_) return false;
  const char* start = chunk_->data.get() + begin_;
  const auto* newline = static_cast<const char*>(std::memchr(start, '\n', end_ - begin_));
  const bool ends_here = newline != nullptr || at_end_;
  const std::size_t size =
      newline != nullptr ? static_cast<std::size_t>(newline - start) : end_ - begin_;
  if (!ends_here && size <= options_.line_bytes_max) return false;
  dropping_ = !ends_here;
  line = {start, std::min(size, options_.line_bytes_max + 1)};
  begin_ += size + (newline != nullptr ? 1 : 0);
  ++line_;
  return true;
}

/// Goes behind the end of an overlong line whose start has been handed out.
void FileSource::drop_rest_of_line() {
  while (dropping_) {
    const char* start = chunk_->data.get() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(start, '\n', end_ - begin_));
    if (newline != nullptr) {
      begin_ += static_cast<std::size_t>(newline - start) + 1;
      dropping_ = false;
    } else {
      begin_ = end_;
      dropping_ = refill();
    }
  }
}

std::shared_ptr<const RawBatch> FileSource::read(std::size_t records_max) {
  drop_rest_of_line();
  auto batch = std::make_shared<RawBatch>();
  // One batch stands on one chunk: what follows a refill, or an overlong line, is the next batch.
  while (batch->records.size() < records_max && !dropping_) {
    std::string_view line;
    if (!next_line(line)) {
      if (!batch->records.empty() || !refill()) break;
      continue;
    }
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() <= options_.line_bytes_max && is_blank(line)) continue;
    RawRecord record;
    record.value = line;
    record.offset = line_ - 1;
    record.kafka_time_ms = now_ms_;
    record.source = source_;
    batch->records.push_back(record);
  }
  if (batch->records.empty()) return nullptr;
  batch->keep_alive = chunk_;
  return batch;
}

}  // namespace tidemark
