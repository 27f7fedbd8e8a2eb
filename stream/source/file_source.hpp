// FileSource: the lines of a JSON Lines file as raw records, for `replay`. One thread reads; the
// batches it hands out may be read by any. Memory is bounded: a few chunks, whatever the file's
// size. Knows lines, no JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernels/data/raw_batch.hpp"
#include "stream/source/byte_stream.hpp"

namespace tidemark {

struct FileSourceOptions {
  std::size_t chunk_bytes = std::size_t{1} << 20;
  /// Of a longer line only the first line_bytes_max + 1 bytes are kept. The parser's own limit is
  /// lower, so such a line becomes a dead letter, `oversized`.
  std::size_t line_bytes_max = std::size_t{16} << 20;
};

class FileSource {
 public:
  /// Plain, gzip or zstd, told apart by content. Every record is dated `now_ms`. Throws UsageError
  /// when the file cannot be opened.
  FileSource(Source source, const std::string& path, std::int64_t now_ms,
             FileSourceOptions options = {});
  ~FileSource();
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  /// The next records, at least one and at most `records_max` (fewer where a chunk ends); null at
  /// the end. Lines end with \n or \r\n, the last one also with the file. Blank lines are skipped,
  /// but counted: a record's offset is the number of its line, from 0. Throws RunError when the
  /// file cannot be read or unpacked.
  std::shared_ptr<const RawBatch> read(std::size_t records_max);

 private:
  struct Chunk;
  class Pool;

  bool refill();
  bool next_line(std::string_view& line);
  void drop_rest_of_line();

  Source source_;
  std::int64_t now_ms_;
  FileSourceOptions options_;
  std::unique_ptr<ByteStream> bytes_;
  std::shared_ptr<Pool> pool_;
  std::shared_ptr<Chunk> chunk_;
  std::size_t begin_ = 0, end_ = 0;  // of chunk_: what is not handed out yet
  std::int64_t line_ = 0;
  bool at_end_ = false;    // of the file: chunk_ holds all that is left
  bool dropping_ = false;  // begin_ stands inside an overlong line
};

}  // namespace tidemark
